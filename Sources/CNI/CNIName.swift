/// What networks, containers and interfaces may be called: specification 1.1, sections 1 and 2.
enum CNIName {
    /// Whether this can be the name of a network or the id of a container: a letter or a digit, then more of these,
    /// `_`, `.` and `-`.
    static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || "_.-".utf8.contains($0) }
    }

    /// Whether this can be the name of a program in one of the plugins' directories.
    static func isProgram(_ text: String) -> Bool {
        !text.isEmpty && text != "." && text != ".." && !text.utf8.contains { "/\\\0".utf8.contains($0) }
    }

    /// Whether the kernel takes this as the name of an interface; dev_valid_name() in Linux.
    static func isInterface(_ text: String) -> Bool {
        (1...15).contains(text.utf8.count) && text != "." && text != ".."
            && !text.utf8.contains { "/:".utf8.contains($0) || $0 <= 0x20 || (0x7F...0xA0).contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
