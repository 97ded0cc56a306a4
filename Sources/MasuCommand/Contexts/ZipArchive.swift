/// The files of a zip archive (PKWARE's APPNOTE.TXT) of some megabytes.
struct ZipArchive {
    /// A file, or a directory with a name that ends in a slash.
    struct Entry {
        let name: String
        let content: [UInt8]
        /// Whether it is what it seems to be, and no link or device.
        let isPlain: Bool
    }

    /// In the order of the archive's directory.
    let entries: [Entry]

    private static let damage = CommandError("the zip archive is damaged")

    /// Reads an archive, and verifies its checksums.
    ///
    /// - Parameter limit: the most bytes that all files may have together.
    /// - Throws: ``CommandError`` for what is damaged, encrypted or of another kind.
    init(_ bytes: [UInt8], limit: Int) throws(CommandError) {
        func number(_ place: Int, _ width: Int) throws(CommandError) -> Int {
            guard place >= 0, place + width <= bytes.count else { throw Self.damage }
            return (0..<width).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
        }
        func slice(_ place: Int, _ count: Int) throws(CommandError) -> ArraySlice<UInt8> {
            guard place >= 0, place + count <= bytes.count else { throw Self.damage }
            return bytes[place..<place + count]
        }
        // The end of the directory is followed by a comment of at most 64 KiB.
        var end = bytes.count - 22
        while end >= 0, try number(end, 4) != 0x0605_4b50 {
            guard end > bytes.count - 22 - 0xFFFF else { throw Self.damage }
            end -= 1
        }
        guard end >= 0 else { throw Self.damage }
        var place = try number(end + 16, 4)
        var entries: [Entry] = []
        var room = limit
        for _ in 0..<(try number(end + 10, 2)) {
            guard try number(place, 4) == 0x0201_4b50 else { throw Self.damage }
            let (flags, method, sum) = (try number(place + 8, 2), try number(place + 10, 2), try number(place + 16, 4))
            let (packed, size) = (try number(place + 20, 4), try number(place + 24, 4))
            let nameCount = try number(place + 28, 2)
            let name = String(decoding: try slice(place + 46, nameCount), as: UTF8.self)
            guard flags & 1 == 0 else { throw CommandError("the zip archive is encrypted") }
            guard size <= room else { throw CommandError("the files of the zip archive have more than \(limit) bytes") }
            room -= size
            let local = try number(place + 42, 4)
            guard try number(local, 4) == 0x0403_4b50, try number(local + 26, 2) == nameCount,
                try slice(local + 30, nameCount).elementsEqual(slice(place + 46, nameCount))
            else { throw Self.damage }
            let start = local + 30 + (try number(local + 26, 2)) + (try number(local + 28, 2))
            let data = try slice(start, packed)
            let content: [UInt8]
            switch method {
            case 0: content = Array(data)
            case 8:
                do throws(Inflation.Damage) {
                    content = try Inflation.bytes(of: data, limit: size)
                } catch {
                    throw Self.damage
                }
            default: throw CommandError("the zip archive has a method of compression that is not supported: \(method)")
            }
            guard content.count == size, Self.checksum(content) == sum else { throw Self.damage }
            // Those that Unix has made tell the kind of a file in the upper half.
            let kind = try number(place + 38, 4) >> 28
            entries.append(Entry(name: name, content: content, isPlain: [0, 4, 8].contains(kind)))
            place += 46 + nameCount + (try number(place + 30, 2)) + (try number(place + 32, 2))
        }
        self.entries = entries
    }

    /// CRC-32 (ISO 3309), as zip has it.
    private static func checksum(_ bytes: [UInt8]) -> Int {
        var sum: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
        return Int(~sum)
    }
}
