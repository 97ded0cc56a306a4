import CLinux
import SystemPackage

/// A netlink message as the kernel sends it.
package struct Message: Hashable, Sendable {
    /// `RTM_…`, or one of netlink's own kinds (`NLMSG_…`).
    package var type: UInt16
    /// `NLM_F_…`.
    package var flags: UInt16
    /// That of the request it answers.
    package var sequence: UInt32
    /// What comes after the header.
    package var payload: ArraySlice<UInt8>

    /// Takes apart what one call of recvmsg(2) has brought.
    ///
    /// - Throws: `badMessage` where lengths do not fit.
    package static func all(in bytes: [UInt8]) throws(Errno) -> [Message] {
        var reader = ByteReader(bytes[...])
        var messages: [Message] = []
        while !reader.isAtEnd {
            var header = ByteReader(try reader.take(16))
            let length = Int(try header.number(UInt32.self))
            let type = try header.number(UInt16.self)
            let flags = try header.number(UInt16.self)
            let sequence = try header.number(UInt32.self)
            guard length >= 16 else { throw .badMessage }
            let payload = try reader.takeAligned(length - 16)
            messages.append(Message(type: type, flags: flags, sequence: sequence, payload: payload))
        }
        return messages
    }

    /// What a message of kind `NLMSG_ERROR`, or the end of a dump (`NLMSG_DONE`), reports; `nil` if that is 0, which
    /// says that all went well.
    package func failure() throws(Errno) -> Failure? {
        let isEnd = Int32(type) == NLMSG_DONE
        // The end of a dump may come without a number.
        if isEnd, payload.isEmpty { return nil }
        var reader = ByteReader(payload)
        let number = try reader.number(Int32.self)
        guard number != 0 else { return nil }
        if !isEnd {
            let length = Int(try reader.number(UInt32.self))
            _ = try reader.take(12)
            // Unless capped, the whole request comes back before the attributes.
            if flags & Self.capped == 0 { _ = try reader.takeAligned(max(length - 16, 0)) }
        }
        let errno = Errno(rawValue: 0 &- number)
        guard flags & Self.withAttributes != 0 else { return Failure(errno: errno) }
        let attributes = try Attributes(reader.remainder)
        return Failure(
            errno: errno, text: attributes.text(NLMSGERR_ATTR_MSG),
            offset: try attributes.number(NLMSGERR_ATTR_OFFS, as: UInt32.self).map(Int.init))
    }

    /// How the kernel reports a failure.
    package struct Failure: Hashable, Sendable {
        /// What went wrong.
        package var errno: Errno
        /// The kernel's own words, where it has any.
        package var text: String?
        /// At which byte of the request the kernel found the fault, where that is known.
        package var offset: Int?
    }

    /// `NLM_F_CAPPED`: of the request there is but the header.
    private static let capped: UInt16 = 0x100
    /// `NLM_F_ACK_TLVS`: attributes follow.
    private static let withAttributes: UInt16 = 0x200
}

extension nlmsgerr_attrs: AttributeType {}
