import Addresses
import LinuxKernel
import SystemPackage

extension LocalMount {
    /// The mount as the kernel takes it: with addresses in place of servers' names, and without what is meant for the
    /// programs that mount(8) calls.
    ///
    /// - Parameters:
    ///   - target: Where Docker would mount it, for its words.
    ///   - lookUp: Gives the address of a host.
    /// - Throws: `.system` in Docker's words.
    func resolved(
        target: FilePath, _ lookUp: (String) throws(VolumesError) -> IPAddress
    ) throws(VolumesError) -> FileSystemMount {
        guard !device.isEmpty else { throw .system("missing device in volume options") }
        var options = options.filter { !Self.isMeantForPrograms($0) }
        if options.contains("bind") || options.contains("rbind") {
            // A relative path would mean something else in each process.
            guard device.hasPrefix("/"), Files.exists(FilePath(device)) else {
                let flags = options.contains("rbind") ? "0x5000" : "0x1000"
                throw .system(
                    "failed to mount local volume: mount \(device):\(target), flags: \(flags): no such file or "
                        + "directory")
            }
            return FileSystemMount(type: "bind", source: device, options: options)
        }
        var source = device
        switch type {
        case "nfs", "nfs4": options = try resolvedServer(of: options, lookUp)
        case "cifs", "smb3": (source, options) = try resolvedShare(options, lookUp)
        default: break
        }
        return FileSystemMount(type: type, source: source, options: options)
    }

    /// Options for mount(8), init systems and people; the kernel refuses them. `mount.nfs` tries again in the
    /// background or not, which is for restart policies here.
    private static func isMeantForPrograms(_ option: String) -> Bool {
        let words: Set = [
            "defaults", "auto", "noauto", "user", "nouser", "users", "group", "owner", "_netdev", "nofail", "bg", "fg",
        ]
        return words.contains(option) || option.hasPrefix("x-") || option.hasPrefix("comment=")
            || option.hasPrefix("retry=")
    }

    /// Options of NFS as nfs(5) has them, as the kernel takes them.
    private func resolvedServer(
        of options: [String], _ lookUp: (String) throws(VolumesError) -> IPAddress
    ) throws(VolumesError) -> [String] {
        var result: [String] = []
        var hasAddress = false
        for option in options {
            let (name, value) = Self.divide(option)
            switch (name, value) {
            case ("addr", let host?), ("mountaddr", let host?), ("clientaddr", let host?):
                result.append("\(name)=\(try Self.address(of: host, lookUp))")
                hasAddress = hasAddress || name == "addr"
            case ("mounthost", let host?):
                result.append("mountaddr=\(try Self.address(of: host, lookUp))")
            // An older word for the same; the kernel has no number behind it for version 4.
            case ("nfsvers", let version?): result.append("vers=\(version)")
            default: result.append(option)
            }
        }
        if !hasAddress, let host = Self.server(of: device) {
            result.append("addr=\(try Self.address(of: host, lookUp))")
        }
        return result
    }

    /// The server before the path of an export, `server:/path`; an IPv6 address has brackets.
    private static func server(of device: String) -> String? {
        if device.hasPrefix("["), let end = device.firstIndex(of: "]") {
            return String(device[device.index(after: device.startIndex)..<end])
        }
        guard let colon = device.firstIndex(of: ":"), colon != device.startIndex else { return nil }
        return String(device[..<colon])
    }

    private func resolvedShare(
        _ options: [String], _ lookUp: (String) throws(VolumesError) -> IPAddress
    ) throws(VolumesError) -> (source: String, options: [String]) {
        var result = options
        for (index, option) in options.enumerated() {
            guard case ("addr", let host?) = Self.divide(option) else { continue }
            result[index] = "addr=\(try Self.address(of: host, lookUp))"
            return (device, result)
        }
        // A piece of the device, whose places are those in the device.
        guard let host = ShareAddress.authority(of: device), IPAddress(String(host)) == nil else {
            return (device, result)
        }
        let address = try Self.address(of: String(host), lookUp)
        return ("\(device[..<host.startIndex])\(address)\(device[host.endIndex...])", result)
    }

    private static func address(
        of host: String, _ lookUp: (String) throws(VolumesError) -> IPAddress
    ) throws(VolumesError) -> IPAddress {
        do throws(VolumesError) { return try lookUp(host) } catch {
            throw VolumesError(error.kind, "error resolving passed in network volume address: \(error.message)")
        }
    }

    private static func divide(_ option: String) -> (name: String, value: String?) {
        guard let equals = option.firstIndex(of: "=") else { return (option, nil) }
        return (String(option[..<equals]), String(option[option.index(after: equals)...]))
    }
}
