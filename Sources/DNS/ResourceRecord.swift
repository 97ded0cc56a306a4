import Addresses

/// One record of an answer (RFC 1035, 4.1.3).
package struct ResourceRecord: Hashable, Sendable {
    /// Whose record it is.
    package var name: DomainName
    /// Nearly always the Internet.
    package var recordClass: RecordClass
    /// How many seconds it may be kept.
    package var timeToLive: UInt32
    /// What it says.
    package var content: Content

    /// What records of the types that matter here say.
    package enum Content: Hashable, Sendable {
        /// A or AAAA.
        case address(IPAddress)
        /// PTR: the name of an address.
        case pointer(DomainName)
        /// CNAME: the name in whose place the record's name stands.
        case alias(DomainName)
        /// SRV: where a service is; RFC 2782.
        case service(priority: UInt16, weight: UInt16, port: UInt16, target: DomainName)
        /// A record whose content is not looked into. Names in it that are compressed become wrong in another message.
        case other(RecordType, [UInt8])
    }

    /// A record.
    package init(
        _ name: DomainName, _ content: Content, timeToLive: UInt32, recordClass: RecordClass = .internet
    ) {
        self.name = name
        self.recordClass = recordClass
        self.timeToLive = timeToLive
        self.content = content
    }

    /// A, AAAA, …
    package var type: RecordType {
        switch content {
        case .address(let address): address.isIPv6 ? .aaaa : .a
        case .pointer: .ptr
        case .alias: .cname
        case .service: .srv
        case .other(let type, _): type
        }
    }
}

extension ResourceRecord {
    init(_ reader: inout WireReader) throws(MessageError) {
        name = try reader.name()
        let type = RecordType(rawValue: try reader.number(UInt16.self))
        recordClass = RecordClass(rawValue: try reader.number(UInt16.self))
        timeToLive = try reader.number(UInt32.self)
        let length = Int(try reader.number(UInt16.self))
        let start = reader.position
        content = try Self.content(type, length, recordClass, &reader)
        guard reader.position == start + length else { throw .badRecord }
    }

    private static func content(
        _ type: RecordType, _ length: Int, _ recordClass: RecordClass, _ reader: inout WireReader
    ) throws(MessageError) -> Content {
        switch type {
        case _ where recordClass != .internet: break
        case .a, .aaaa:
            guard let address = IPAddress(bytes: try reader.bytes(length)), address.isIPv6 == (type == .aaaa)
            else { throw .badRecord }
            return .address(address)
        // A record that says nothing is no name; dynamic updates have such ones.
        case .ptr where length > 0: return .pointer(try reader.name())
        case .cname where length > 0: return .alias(try reader.name())
        case .srv where length > 0:
            return .service(
                priority: try reader.number(UInt16.self), weight: try reader.number(UInt16.self),
                port: try reader.number(UInt16.self), target: try reader.name())
        default: break
        }
        return .other(type, Array(try reader.bytes(length)))
    }

    func write(_ writer: inout WireWriter) {
        writer.name(name)
        writer.append(type.rawValue)
        writer.append(recordClass.rawValue)
        writer.append(timeToLive)
        writer.withLength { writer in
            switch content {
            case .address(let address): writer.append(address.bytes)
            case .pointer(let name), .alias(let name): writer.name(name)
            case .service(let priority, let weight, let port, let target):
                writer.append(priority)
                writer.append(weight)
                writer.append(port)
                // RFC 2782 forbids compression here.
                writer.name(target, isCompressed: false)
            case .other(_, let bytes): writer.append(bytes)
            }
        }
    }
}

/// What a message says in its OPT record (RFC 6891).
package struct ExtendedDNS: Hashable, Sendable {
    /// The longest message that its sender takes by UDP.
    package var payloadSize: UInt16
    /// The version of EDNS; there is only 0.
    package var version: UInt8
    /// Whether its sender wants signatures (DO; RFC 3225).
    package var wantsSignatures: Bool

    /// Version 0.
    package init(payloadSize: UInt16, version: UInt8 = 0, wantsSignatures: Bool = false) {
        self.payloadSize = payloadSize
        self.version = version
        self.wantsSignatures = wantsSignatures
    }

    /// What an OPT record says; `nil` for any other record.
    package init?(_ record: ResourceRecord) {
        guard record.type == .opt else { return nil }
        payloadSize = record.recordClass.rawValue
        version = UInt8(truncatingIfNeeded: record.timeToLive >> 16)
        wantsSignatures = record.timeToLive & 0x8000 != 0
    }

    /// The OPT record that says this, with the upper bits of a response code.
    package func record(_ code: ResponseCode = .noError) -> ResourceRecord {
        let flags =
            UInt32(code.rawValue >> 4 & 0xFF) << 24 | UInt32(version) << 16 | (wantsSignatures ? 0x8000 : 0)
        return ResourceRecord(
            .root, .other(.opt, []), timeToLive: flags, recordClass: RecordClass(rawValue: payloadSize))
    }
}
