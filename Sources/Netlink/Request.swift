import CLinux

/// A request to the kernel, ready to be sent but for its number.
package struct Request: Sendable {
    /// What it asks for, as the end of a sentence that begins with "cannot".
    package let description: String
    /// The whole message, with the sequence number 0.
    package let bytes: [UInt8]

    /// A request of kind `type` (`RTM_…`) with `flags` beside `NLM_F_REQUEST`, whose content `body` writes.
    package init(
        _ description: String, type: some BinaryInteger, flags: Int32 = 0, _ body: (inout MessageBuilder) -> Void
    ) {
        var builder = MessageBuilder(
            type: UInt16(truncatingIfNeeded: type), flags: UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST),
            sequence: 0)
        body(&builder)
        self.description = description
        bytes = builder.message
    }

    /// Appends the message with a number, and with flags that depend on how it is sent.
    func append(to packet: inout [UInt8], sequence: UInt32, flags: Int32 = 0) {
        let start = packet.count
        packet.append(contentsOf: bytes)
        packet.withUnsafeMutableBytes { packet in
            let own = packet.loadUnaligned(fromByteOffset: start + 6, as: UInt16.self)
            packet.storeBytes(
                of: own | UInt16(truncatingIfNeeded: flags), toByteOffset: start + 6, as: UInt16.self)
            packet.storeBytes(of: sequence, toByteOffset: start + 8, as: UInt32.self)
        }
    }

    /// Makes a new object, and fails if there is one (`EEXIST`).
    static let create: Int32 = 0x400 | 0x200
    /// Makes a new object or changes the one that is there.
    static let createOrReplace: Int32 = 0x400 | 0x100
    /// Asks for all objects.
    static let dump: Int32 = 0x300
}
