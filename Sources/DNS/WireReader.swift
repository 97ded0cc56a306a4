/// What is wrong with bytes that are no message.
package enum MessageError: Error, Hashable, Sendable {
    /// They end too early.
    case cut
    /// A name is too long, or its compression leads elsewhere than back.
    case badName
    /// A record's content does not have the form of its type.
    case badRecord
    /// There are more records than anybody needs.
    case tooManyRecords
}

/// Reads the parts of a message one after the other.
struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0
    private static let maximumPointers = DomainName.maximumLength / 2

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func byte() throws(MessageError) -> UInt8 {
        guard position < bytes.count else { throw .cut }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(MessageError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - position >= size else { throw .cut }
        defer { position += size }
        return Number(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    mutating func bytes(_ count: Int) throws(MessageError) -> UnsafeRawBufferPointer {
        guard bytes.count - position >= count else { throw .cut }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    /// A name, compressed or not (RFC 1035, 4.1.4).
    ///
    /// A pointer has to lead to before the place where the labels it continues begin, so there are no loops; and there
    /// cannot be more pointers than labels in a name, so that many names that go the same long way cost little.
    mutating func name() throws(MessageError) -> DomainName {
        var result: [UInt8] = []
        var cursor = position
        var earliest = position
        var end: Int?
        var pointers = 0
        while true {
            guard cursor < bytes.count else { throw .cut }
            let length = Int(bytes[cursor])
            switch length & 0xC0 {
            case 0 where length == 0:
                result.append(0)
                position = end ?? cursor + 1
                return DomainName(wireFormat: result)
            case 0:
                guard bytes.count - cursor > length else { throw .cut }
                guard result.count + length + 2 <= DomainName.maximumLength else { throw .badName }
                result.append(contentsOf: bytes[cursor...(cursor + length)])
                cursor += 1 + length
            case 0xC0:
                guard cursor + 1 < bytes.count else { throw .cut }
                let target = (length & 0x3F) << 8 | Int(bytes[cursor + 1])
                pointers += 1
                guard target >= MessageHeader.length, target < earliest, pointers <= Self.maximumPointers
                else { throw .badName }
                if end == nil { end = cursor + 2 }
                earliest = target
                cursor = target
            default:
                throw .badName
            }
        }
    }
}
