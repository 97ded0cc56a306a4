import SystemPackage

/// Bytes that are read from front to back.
package struct ByteReader {
    private var rest: ArraySlice<UInt8>

    /// A reader of `bytes`.
    package init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// Whether all has been read.
    package var isAtEnd: Bool { rest.isEmpty }

    /// The bytes that are not read yet.
    package var remainder: ArraySlice<UInt8> { rest }

    /// The next number, in this machine's byte order.
    package mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(Errno) -> Number {
        let bytes = try take(MemoryLayout<Number>.size)
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
    }

    /// The next number, in the byte order of the network.
    package mutating func networkOrder<Number: FixedWidthInteger>(
        _: Number.Type = Number.self
    ) throws(Errno) -> Number {
        Number(bigEndian: try number())
    }

    /// The next `count` bytes.
    package mutating func take(_ count: Int) throws(Errno) -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw .badMessage }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// The next `count` bytes, and no more what fills them up to a multiple of four. At the end those may be missing.
    mutating func takeAligned(_ count: Int) throws(Errno) -> ArraySlice<UInt8> {
        let bytes = try take(count)
        rest = rest.dropFirst((4 - count % 4) % 4)
        return bytes
    }
}
