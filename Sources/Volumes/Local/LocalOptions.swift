import Flags

/// What the driver `local` has understood of a volume's options.
package struct LocalOptions: Hashable, Sendable, Codable {
    /// What is mounted in place of a directory of our own.
    package let mount: LocalMount?
    /// The most that the volume's files may take, in bytes; `nil` for no limit.
    package let size: Int64?
    /// The project of ext4 or xfs whose limit is the volume's.
    package var project: UInt32?

    /// A volume with these options.
    package init(mount: LocalMount? = nil, size: Int64? = nil, project: UInt32? = nil) {
        self.mount = mount
        self.size = size
        self.project = project
    }

    private static let known: Set = ["type", "o", "device", "size"]
    /// Which options need which others, in the order in which the lack of one is told.
    private static let companions = [("device", ["type"]), ("o", ["device", "type"]), ("type", ["device"])]

    /// Reads options as `type=nfs`, `o=addr=10.0.0.1,rw`, `device=:/export`, `size=1g`.
    ///
    /// - Throws: `.invalid`, in Docker's words.
    init(_ options: [String: String]) throws(VolumesError) {
        for name in options.keys.sorted() where !Self.known.contains(name) {
            throw .invalid("invalid option: \"\(name)\"")
        }
        let (type, device) = (options["type"] ?? "", options["device"] ?? "")
        if type == "cifs", !device.isEmpty { try ShareAddress.checkPort(of: device) }
        var size: Int64 = 0
        if let text = options["size"] {
            do throws(InvalidFlagValue) { size = try FlagValue.bytes(text) } catch { throw .invalid(error.reason) }
        }
        for (name, others) in Self.companions where options[name] != nil {
            for other in others where options[other] == nil { throw .invalid("missing required option: \"\(other)\"") }
        }
        for option in (options["o"] ?? "").split(separator: ",") where option.hasPrefix("=") {
            throw .invalid("invalid mount option \"\(option)\": it has no name")
        }
        let isMount = !type.isEmpty || !device.isEmpty
        self.init(
            mount: isMount ? LocalMount(type: type, device: device, options: options["o"] ?? "") : nil,
            size: size > 0 ? size : nil)
    }
}

/// A mount that the options of a volume describe, as they were given.
package struct LocalMount: Hashable, Sendable, Codable {
    /// The type of a file system; of a directory that is bound any word, most often `none`.
    package let type: String
    /// What is mounted.
    package let device: String
    /// As for mount(8), but with the flags that the kernel knows only.
    package let options: [String]

    init(type: String, device: String, options: String) {
        self.type = type
        self.device = device
        self.options = options.split(separator: ",").map(String.init)
    }
}
