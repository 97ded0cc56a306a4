/// Puts a netlink message together: a header, the family's fixed part, and attributes, each aligned to four bytes;
/// netlink(7).
///
/// The builder writes lengths at the end, when it knows them; callers do not count.
package struct MessageBuilder {
    private var bytes: [UInt8] = []

    /// A message of kind `type` (`RTM_…`) with `flags` (`NLM_F_…`). Its length and port stay open.
    package init(type: UInt16, flags: UInt16, sequence: UInt32) {
        append(UInt32(0))
        append(type)
        append(flags)
        append(sequence)
        append(UInt32(0))
    }

    /// Appends a number in this machine's byte order.
    package mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    /// Appends an attribute with these bytes.
    package mutating func attribute(_ type: UInt16, _ payload: [UInt8]) {
        nested(type) { $0.bytes += payload }
    }

    /// Appends an attribute that holds a number.
    package mutating func attribute(_ type: UInt16, _ number: some FixedWidthInteger) {
        nested(type) { $0.append(number) }
    }

    /// Appends an attribute that holds a text, with the null byte the kernel wants.
    package mutating func attribute(_ type: UInt16, _ text: String) {
        nested(type) { $0.bytes += Array(text.utf8) + [0] }
    }

    /// Appends an attribute that holds what `body` appends.
    package mutating func nested(_ type: UInt16, _ body: (inout MessageBuilder) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(type)
        body(&self)
        set(UInt16(truncatingIfNeeded: bytes.count - start), at: start)
        align()
    }

    /// The message, ready to be sent.
    package var message: [UInt8] {
        var builder = self
        builder.align()
        builder.set(UInt32(truncatingIfNeeded: builder.bytes.count), at: 0)
        return builder.bytes
    }

    private mutating func align() {
        while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
    }

    private mutating func set<Number: FixedWidthInteger>(_ number: Number, at position: Int) {
        withUnsafeBytes(of: number) {
            bytes.replaceSubrange(position..<(position + MemoryLayout<Number>.size), with: $0)
        }
    }
}
