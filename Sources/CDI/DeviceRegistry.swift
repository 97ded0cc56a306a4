import LinuxKernel
import SystemPackage

/// The devices that files of the Container Device Interface describe, as they are at the moment.
///
/// Nothing is kept: whoever asks looks into the directories, which hold a handful of files, when a container that wants
/// such devices starts.
package struct DeviceRegistry: Sendable {
    /// Where files are; a later directory's devices replace an earlier one's.
    package let directories: [FilePath]

    /// The directories of the specification.
    package static let standardDirectories: [FilePath] = ["/etc/cdi", "/var/run/cdi"]

    /// The devices that files in these directories describe.
    package init(directories: [FilePath] = standardDirectories) {
        self.directories = directories
    }

    /// What is in the directories.
    package struct Content: Sendable {
        /// All devices that can be used.
        package var devices: [DeviceName: Device] = [:]
        /// Files that cannot be used and devices that are described twice, in words.
        package var problems: [String] = []
    }

    /// A device and the file that describes it.
    package struct Device: Sendable {
        /// The file.
        package let path: FilePath
        /// What the device needs.
        package let edits: ContainerEdits
        /// What devices of this file need once, however many of them there are.
        package let common: ContainerEdits
    }

    /// Reads all files.
    package func content() -> Content {
        var content = Content()
        for directory in directories {
            var found: [DeviceName: [Device]] = [:]
            for path in Self.files(in: directory, &content.problems) {
                do {
                    let specification = try DeviceSpecification(Files.read(path))
                    for (device, edits) in specification.devices {
                        guard let name = DeviceName(specification.kind, device: device) else { continue }
                        found[name, default: []].append(Device(path: path, edits: edits, common: specification.edits))
                    }
                } catch {
                    content.problems.append("\(path): \(error)")
                }
            }
            for (name, devices) in found {
                if devices.count == 1 {
                    content.devices[name] = devices[0]
                } else {
                    content.devices[name] = nil
                    let paths = devices.map(\.path.string).sorted().joined(separator: " and ")
                    content.problems.append("the device \(name) is in \(paths)")
                }
            }
        }
        return content
    }

    /// What devices change in a container, in the order of the names; what a file's devices need in common comes once,
    /// before the first of them.
    ///
    /// - Throws: `UnresolvedDevices` with the names that no file describes.
    package func edits(for names: [DeviceName]) throws(UnresolvedDevices) -> [ContainerEdits] {
        if names.isEmpty { return [] }
        let content = content()
        var seen: Set<FilePath> = []
        var used: Set<DeviceName> = []
        var edits: [ContainerEdits] = []
        var missing: [DeviceName] = []
        for name in names where used.insert(name).inserted {
            guard let device = content.devices[name] else {
                missing.append(name)
                continue
            }
            if seen.insert(device.path).inserted { edits.append(device.common) }
            edits.append(device.edits)
        }
        guard missing.isEmpty else { throw UnresolvedDevices(names: missing, problems: content.problems) }
        return edits
    }

    private static func files(in directory: FilePath, _ problems: inout [String]) -> [FilePath] {
        do {
            return try Files.names(in: directory).sorted()
                .filter { name in [".json", ".yaml", ".yml"].contains { name.hasSuffix($0) } }
                .map { directory.appending($0) }
        } catch Errno.noSuchFileOrDirectory {
            return []
        } catch {
            problems.append("\(directory): \(error)")
            return []
        }
    }
}

/// Devices that no file describes.
package struct UnresolvedDevices: Error, Hashable, Sendable, CustomStringConvertible {
    /// The devices.
    package let names: [DeviceName]
    /// What is wrong with files.
    package let problems: [String]

    package var description: String {
        "unresolvable CDI devices " + names.map(\.description).joined(separator: ", ")
            + (problems.isEmpty ? "" : " (\(problems.joined(separator: "; ")))")
    }
}
