/// The kernel's name for this start of the machine.
package enum BootIdentifier {
    /// Another one after each start of the machine; `unknown` without procfs.
    package static var current: String {
        // Without one every start counts as the same.
        guard let bytes = try? Files.read("/proc/sys/kernel/random/boot_id", limit: 256) else { return "unknown" }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
