/// Writes a message, with names in short form where they can be: where an earlier name ends in the same way, a pointer
/// takes the place of what is the same (RFC 1035, 4.1.4).
struct WireWriter {
    private(set) var bytes: [UInt8] = []
    /// Where names and the ends of names stand.
    private var places: [ArraySlice<UInt8>: UInt16] = [:]

    mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// A name that later ones can point to. Only the same bytes are the same here: the letters' case is kept.
    mutating func name(_ name: DomainName, isCompressed: Bool = true) {
        guard isCompressed else { return append(name.wireFormat) }
        var rest = name.wireFormat[...]
        while let length = rest.first, length > 0 {
            if let place = places[rest] { return append(0xC000 | place) }
            if bytes.count < 0x4000 { places[rest] = UInt16(bytes.count) }
            append(rest.prefix(Int(length) + 1))
            rest = rest.dropFirst(Int(length) + 1)
        }
        bytes.append(0)
    }

    /// What `body` writes, after its length.
    mutating func withLength(_ body: (inout WireWriter) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        body(&self)
        replace(UInt16(truncatingIfNeeded: bytes.count - start - 2), at: start)
    }

    mutating func replace(_ number: UInt16, at position: Int) {
        bytes[position] = UInt8(truncatingIfNeeded: number >> 8)
        bytes[position + 1] = UInt8(truncatingIfNeeded: number)
    }

    /// Takes back all from `count` on.
    mutating func cut(to count: Int) {
        bytes.removeLast(bytes.count - count)
        places = places.filter { $0.value < count }
    }
}
