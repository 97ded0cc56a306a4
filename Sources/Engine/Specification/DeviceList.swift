import LinuxKernel
import OCISpec
import SystemPackage

/// The devices of a container and the rules of its device cgroup.
package struct DeviceList {
    /// Of the container.
    package let configuration: HostConfiguration

    /// What every container may use: creating any device file, and the harmless ones by Docker's list.
    private static let defaultRules: [LinuxDeviceCgroup] = {
        let characters: [(Int64, Int64?)] = [
            (1, 3), (1, 5), (1, 7), (1, 8), (1, 9),  // null, zero, full, random, urandom
            (5, 0), (5, 2),  // tty, ptmx; not 5:1, the host's console: a container's own is a pseudo terminal
            (136, nil),  // pseudo terminals
        ]
        return [
            LinuxDeviceCgroup(allow: false, access: "rwm"),
            LinuxDeviceCgroup(allow: true, type: "c", access: "m"),
            LinuxDeviceCgroup(allow: true, type: "b", access: "m"),
        ]
            + characters.map { LinuxDeviceCgroup(allow: true, type: "c", major: $0, minor: $1, access: "rwm") }
    }()

    /// Looks the devices up on the host; throws with Docker's text for one that is none.
    package func resolve() throws(EngineError) -> (devices: [LinuxDevice], rules: [LinuxDeviceCgroup]) {
        if configuration.privileged {
            return (Self.all(below: "/dev", shownAt: "/dev"), [LinuxDeviceCgroup(allow: true, access: "rwm")])
        }
        var devices: [LinuxDevice] = []
        var rules = Self.defaultRules
        for mapping in configuration.resources.devices {
            let found = try find(mapping)
            devices += found
            rules += found.map {
                LinuxDeviceCgroup(
                    allow: true, type: $0.type, major: $0.major, minor: $0.minor, access: mapping.access.text)
            }
        }
        for rule in configuration.resources.deviceCgroupRules {
            rules.append(
                LinuxDeviceCgroup(
                    allow: true, type: rule.kind.rawValue, major: rule.major.map(Int64.init),
                    minor: rule.minor.map(Int64.init), access: rule.access.description))
        }
        return (devices, rules)
    }

    private func find(_ mapping: DeviceMapping) throws(EngineError) -> [LinuxDevice] {
        func failure(_ reason: String) -> EngineError {
            .invalid(
                "error gathering device information while adding custom device \"\(mapping.pathOnHost)\": \(reason)")
        }
        let status: FileStatus
        do {
            status = try FileStatus.of(FilePath(mapping.pathOnHost))
        } catch {
            throw failure(error == .noSuchFileOrDirectory ? "no such file or directory" : "\(error)")
        }
        if let device = Self.device(status, at: mapping.pathInContainer) { return [device] }
        guard status.isDirectory else { throw failure("not a device node") }
        let devices = Self.all(below: mapping.pathOnHost, shownAt: mapping.pathInContainer)
        if devices.isEmpty { throw failure("not a device node") }
        return devices
    }

    private static func device(_ status: FileStatus, at path: String) -> LinuxDevice? {
        let type: String
        switch status.kind {
        case .characterDevice: type = "c"
        case .blockDevice: type = "b"
        default: return nil
        }
        let numbers = status.deviceNumbers
        var device = LinuxDevice(path: path, type: type, major: Int64(numbers.major), minor: Int64(numbers.minor))
        device.fileMode = status.mode & 0o7777
        device.uid = status.uid
        device.gid = status.gid
        return device
    }

    /// All device files in a directory tree, without what a container has of its own or must not have of the host.
    private static func all(below directory: String, shownAt target: String) -> [LinuxDevice] {
        let skipped: Set = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"]
        // A directory that cannot be read (or goes away while it is) has no devices for us.
        guard let names = try? Files.names(in: FilePath(directory)) else { return [] }
        var devices: [LinuxDevice] = []
        for name in names.sorted() where !skipped.contains(name) {
            let path = directory + "/" + name
            guard let status = try? FileStatus.of(FilePath(path), followingSymlinks: false) else { continue }
            if status.isDirectory {
                devices += all(below: path, shownAt: target + "/" + name)
            } else if let device = device(status, at: target + "/" + name) {
                devices.append(device)
            }
        }
        return devices
    }
}
