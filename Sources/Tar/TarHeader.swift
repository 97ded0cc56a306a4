/// One 512-byte header block, its fields not yet understood (POSIX.1 "ustar Interchange Format", and GNU's).
struct TarHeader {
    static let size = 512

    /// The variant, told by magic and version; it decides what the end of the block means.
    enum Format {
        case v7
        case ustar
        case star
        case gnu
    }

    private let block: UnsafeRawBufferPointer

    /// A view of a block of 512 bytes, valid as long as the memory is.
    init(_ block: UnsafeRawBufferPointer) { self.block = block }

    var isZero: Bool { block.allSatisfy { $0 == 0 } }

    var format: Format {
        if text(257..<265) == Array("ustar  ".utf8) { return .gnu }
        guard text(257..<263) == Array("ustar".utf8) else { return .v7 }
        return text(508..<512) == Array("tar".utf8) ? .star : .ustar
    }

    /// Whether the checksum fits; old programs summed signed bytes.
    func hasValidChecksum() -> Bool {
        var unsigned: Int64 = 0
        var signed: Int64 = 0
        for byte in block {
            unsigned += Int64(byte)
            signed += Int64(Int8(bitPattern: byte))
        }
        for byte in block[148..<156] {
            unsigned += 32 - Int64(byte)
            signed += 32 - Int64(Int8(bitPattern: byte))
        }
        guard let stored = try? number(148..<156, "checksum") else { return false }  // unreadable: not valid either
        return stored == unsigned || stored == signed
    }

    var type: UInt8 { block[156] }
    var linkName: [UInt8] { text(157..<257) }

    var name: [UInt8] {
        let name = text(0..<100)
        let prefix: [UInt8] =
            switch format {
            case .ustar: text(345..<500)
            case .star: text(345..<476)
            case .v7, .gnu: []
            }
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    func mode() throws(ArchiveError) -> UInt32 { UInt32(truncatingIfNeeded: try number(100..<108, "mode")) & 0o7777 }
    func owner() throws(ArchiveError) -> Int64 { try number(108..<116, "owner") }
    func group() throws(ArchiveError) -> Int64 { try number(116..<124, "group") }
    func size() throws(ArchiveError) -> Int64 { try number(124..<136, "size") }
    func modified() throws(ArchiveError) -> Int64 { try number(136..<148, "modification time") }

    func device() throws(ArchiveError) -> (major: UInt32, minor: UInt32) {
        guard format != .v7 else { return (0, 0) }
        let major = try number(329..<337, "device number")
        let minor = try number(337..<345, "device number")
        guard let major = UInt32(exactly: major), let minor = UInt32(exactly: minor) else {
            throw .malformed("a device number is out of range")
        }
        return (major, minor)
    }

    /// A field up to its first NUL.
    private func text(_ range: Range<Int>) -> [UInt8] { Array(block[range].prefix { $0 != 0 }) }

    /// A number in octal digits, or in base 256 when the first bit is set (GNU). An empty field is 0.
    func number(_ range: Range<Int>, _ field: String) throws(ArchiveError) -> Int64 {
        let first = block[range.lowerBound]
        if first & 0x80 != 0 {
            // Two's complement, big-endian; the bit after the marker is the sign.
            var value: Int64 = first & 0x40 != 0 ? -1 : 0
            for index in range {
                let byte = index == range.lowerBound ? (first & 0x7f) | (first & 0x40) << 1 : block[index]
                guard value >= -(1 << 55), value < 1 << 55 else { throw .malformed("the \(field) is out of range") }
                value = value << 8 | Int64(byte)
            }
            return value
        }
        var value: Int64 = 0
        var hasEnded = false
        var hasBegun = false
        for byte in block[range] {
            switch byte {
            case 0x20, 0:
                if hasBegun { hasEnded = true }
                if byte == 0 { hasEnded = true }
            case 0x30...0x37 where !hasEnded:
                hasBegun = true
                guard value < 1 << 60 else { throw .malformed("the \(field) is out of range") }
                value = value << 3 | Int64(byte - 0x30)
            default:
                if hasEnded, byte != 0x20, !hasBegun { throw .malformed("the \(field) is not a number") }
                if !hasEnded { throw .malformed("the \(field) is not a number") }
            }
        }
        return value
    }

    /// A sparse entry (24 bytes: offset and length) at the given place of the block; `nil` marks the end of the list.
    func sparseExtent(at position: Int) throws(ArchiveError) -> SparseExtent? {
        if block[position] == 0 { return nil }
        return SparseExtent(
            offset: try number(position..<position + 12, "sparse map"),
            length: try number(position + 12..<position + 24, "sparse map"))
    }

    /// Whether a block with more sparse entries follows this main header.
    var hasMoreSparse: Bool { block[482] != 0 }
    /// Whether another block with sparse entries follows this continuation.
    var continuationHasMoreSparse: Bool { block[504] != 0 }

    func sparseRealSize() throws(ArchiveError) -> Int64 { try number(483..<495, "sparse size") }
}
