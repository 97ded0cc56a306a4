import Foundation

/// A writer of tar archives that writes whatever it is told, the hostile included.
struct TarArchive {
    private(set) var bytes: [UInt8] = []

    /// Entry types of POSIX ustar.
    enum Kind: UInt8 {
        case file = 0x30
        case hardLink = 0x31
        case symbolicLink = 0x32
        case characterDevice = 0x33
        case blockDevice = 0x34
        case directory = 0x35
        case fifo = 0x36
    }

    /// Adds an entry. `size` may lie about the contents.
    mutating func add(
        _ name: String, _ kind: Kind = .file, contents: [UInt8] = [], link: String = "", mode: Int = 0o644,
        size: Int? = nil, major: Int = 0, minor: Int = 0
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int, limit: Int) {
            for (index, byte) in text.utf8.prefix(limit).enumerated() { header[offset + index] = byte }
        }
        func put(_ number: Int, at offset: Int, digits: Int) {
            let text = String(number, radix: 8)
            if text.count <= digits {
                put(String(repeating: "0", count: digits - text.count) + text, at: offset, limit: digits)
            } else {
                // GNU's base 256, for sizes over 8 GiB.
                for index in 0...digits {
                    header[offset + index] = UInt8(truncatingIfNeeded: number >> (8 * (digits - index)))
                }
                header[offset] |= 0x80
            }
        }
        put(name, at: 0, limit: 100)
        put(mode, at: 100, digits: 7)
        put(0, at: 108, digits: 7)
        put(0, at: 116, digits: 7)
        put(size ?? contents.count, at: 124, digits: 11)
        put(0, at: 136, digits: 11)
        put("        ", at: 148, limit: 8)
        header[156] = kind.rawValue
        put(link, at: 157, limit: 100)
        put("ustar", at: 257, limit: 5)
        put("00", at: 263, limit: 2)
        put(major, at: 329, digits: 7)
        put(minor, at: 337, digits: 7)
        let sum = header.reduce(0) { $0 + Int($1) }
        let text = String(sum, radix: 8)
        put(String(repeating: "0", count: 6 - text.count) + text, at: 148, limit: 6)
        header[154] = 0
        bytes += header + contents
        bytes += [UInt8](repeating: 0, count: (512 - contents.count % 512) % 512)
    }

    mutating func add(_ name: String, text: String) {
        add(name, contents: Array(text.utf8))
    }

    /// The archive with its end.
    var complete: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}
