/// Types of resource records and questions (RFC 1035, 3.2.2 and later).
package struct RecordType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// An IPv4 address.
    package static let a = RecordType(rawValue: 1)
    /// The canonical name of an alias.
    package static let cname = RecordType(rawValue: 5)
    /// The name of an address.
    package static let ptr = RecordType(rawValue: 12)
    /// Where mail goes.
    package static let mx = RecordType(rawValue: 15)
    /// An IPv6 address.
    package static let aaaa = RecordType(rawValue: 28)
    /// Host and port of a service (RFC 2782).
    package static let srv = RecordType(rawValue: 33)
    /// What EDNS adds to the header (RFC 6891).
    package static let opt = RecordType(rawValue: 41)
}

/// Classes of resource records.
package struct RecordClass: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The Internet.
    package static let internet = RecordClass(rawValue: 1)
}

/// What became of a question (RFC 1035, 4.1.1; RFC 6891, 9).
package struct ResponseCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// There is nothing wrong, though there may be no records.
    package static let noError = ResponseCode(rawValue: 0)
    /// The question could not be understood.
    package static let formatError = ResponseCode(rawValue: 1)
    /// The server could not find the answer.
    package static let serverFailure = ResponseCode(rawValue: 2)
    /// There is no such name.
    package static let nameError = ResponseCode(rawValue: 3)
    /// The server does not do this kind of request.
    package static let notImplemented = ResponseCode(rawValue: 4)
    /// The server does not want to answer.
    package static let refused = ResponseCode(rawValue: 5)
    /// The server does not know this version of EDNS.
    package static let badVersion = ResponseCode(rawValue: 16)
}
