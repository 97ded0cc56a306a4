/// What belongs to a rule, set or element and means nothing to the kernel, in the form of nft(8): kinds with values of
/// up to 255 bytes.
package struct FirewallUserData: Hashable, Sendable {
    /// As the kernel has it: at most 256 bytes.
    package let bytes: [UInt8]

    /// Bytes as the kernel has them.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// Values of these kinds; longer ones are cut.
    init(_ values: [(kind: UInt8, value: [UInt8])]) {
        bytes = values.flatMap { [$0.kind, UInt8(min($0.value.count, 255))] + $0.value.prefix(255) }
    }

    /// A comment of a rule or element, which nft(8) shows; at most 128 bytes.
    package init(comment: String) {
        self.init([(0, Array(comment.utf8) + [0])])
    }

    /// The comment of a rule or element.
    package var comment: String? {
        value(of: 0).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func value(of kind: UInt8) -> ArraySlice<UInt8>? {
        var rest = bytes[...]
        while rest.count >= 2 {
            let (type, length) = (rest[rest.startIndex], Int(rest[rest.startIndex + 1]))
            rest = rest.dropFirst(2)
            guard rest.count >= length else { return nil }
            if type == kind { return rest.prefix(length) }
            rest = rest.dropFirst(length)
        }
        return nil
    }
}
