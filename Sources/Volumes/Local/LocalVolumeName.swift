/// The name of a volume of the driver `local`: one of a directory, by Docker's rules.
struct LocalVolumeName: Hashable, Sendable {
    let text: String

    /// - Throws: `.invalid`, in Docker's words.
    init(_ text: String) throws(VolumesError) {
        let bytes = Array(text.utf8)
        if bytes.count == 1 {
            throw .invalid("volume name is too short, names should be at least two alphanumeric characters")
        }
        guard Self.isName(bytes) else {
            throw .invalid(
                "\"\(text)\" includes invalid characters for a local volume name, only "
                    + "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
                    + "absolute path")
        }
        // No file system has longer ones.
        guard bytes.count <= 255 else { throw .invalid("volume name is too long, names have at most 255 characters") }
        self.text = text
    }

    private static func isName(_ bytes: [UInt8]) -> Bool {
        guard bytes.count > 1, let first = bytes.first, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
