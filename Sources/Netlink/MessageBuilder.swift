/// Puts a netlink message together: a header, the family's fixed part, and attributes, each aligned to four bytes;
/// netlink(7).
///
/// The builder writes lengths at the end, when it knows them; callers do not count.
package struct MessageBuilder {
    private var bytes: [UInt8] = []

    /// A message of kind `type` (`RTM_…`) with `flags` (`NLM_F_…`). Its length and port stay open.
    package init(type: UInt16, flags: UInt16, sequence: UInt32) {
        bytes.reserveCapacity(128)
        append(UInt32(0))
        append(type)
        append(flags)
        append(sequence)
        append(UInt32(0))
    }

    /// A builder of attributes alone, for those that stand in the bytes of others.
    init() {}

    /// Appends a number in this machine's byte order.
    package mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    /// Appends these bytes, without anything around them.
    package mutating func append(bytes more: some Collection<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Appends an attribute with these bytes.
    package mutating func attribute(_ type: some AttributeType, _ payload: some Collection<UInt8>) {
        wrapped(type.attributeNumber) { $0.bytes.append(contentsOf: payload) }
    }

    /// Appends an attribute that holds a number.
    package mutating func attribute(_ type: some AttributeType, _ number: some FixedWidthInteger) {
        wrapped(type.attributeNumber) { $0.append(number) }
    }

    /// Appends an attribute that holds a number in the byte order of the network, which is netfilter's.
    package mutating func networkOrder(_ type: some AttributeType, _ number: some FixedWidthInteger) {
        wrapped(type.attributeNumber) { $0.append(number.bigEndian) }
    }

    /// Appends an attribute that holds a text, with the null byte the kernel wants.
    package mutating func attribute(_ type: some AttributeType, _ text: String) {
        wrapped(type.attributeNumber) {
            $0.bytes.append(contentsOf: text.utf8)
            $0.bytes.append(0)
        }
    }

    /// Appends an attribute without content, whose presence says it all.
    package mutating func flag(_ type: some AttributeType) {
        wrapped(type.attributeNumber) { _ in }
    }

    /// Appends an attribute that holds what `body` appends.
    package mutating func nested(_ type: some AttributeType, _ body: (inout MessageBuilder) -> Void) {
        // Families that check strictly want to be told that there are attributes inside (NLA_F_NESTED).
        wrapped(type.attributeNumber | 0x8000, body)
    }

    private mutating func wrapped(_ number: UInt16, _ body: (inout MessageBuilder) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(number)
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

    /// What has been appended, without a length for the whole.
    var content: [UInt8] { bytes }

    private mutating func align() {
        while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
    }

    private mutating func set<Number: FixedWidthInteger>(_ number: Number, at position: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: number, toByteOffset: position, as: Number.self) }
    }
}
