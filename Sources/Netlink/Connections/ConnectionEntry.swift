import Addresses
import CLinux
import Glibc
import SystemPackage

/// One connection that the kernel's firewall remembers (conntrack).
package struct ConnectionEntry: Hashable, Sendable {
    /// One direction of a connection: from where to where packets go.
    package struct Tuple: Hashable, Sendable {
        /// Where packets come from.
        package var source: IPAddress
        /// Where packets go.
        package var destination: IPAddress
        /// The number in the header of IP.
        package var protocolNumber: UInt8
        /// `nil` of protocols without ports.
        package var sourcePort: UInt16?
        /// `nil` of protocols without ports.
        package var destinationPort: UInt16?
    }

    /// As its first packet came.
    package var original: Tuple
    /// As its answers come: after translation.
    package var reply: Tuple
    /// What has become of it.
    package var status: ConnectionStatus
    /// The number that rules have given it.
    package var mark: UInt32
    /// Connections of different zones have nothing to do with each other; 0 if nobody has made any.
    package var zone: UInt16
    /// The kernel's number for it, so that no other one is deleted in its place.
    private var identifier: UInt32?
    /// The tuple as the kernel told it, for its deletion.
    private var originalBytes: [UInt8]

    /// Reads the payload of an `IPCTNL_MSG_CT_NEW`; `nil` if it is not of IP.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(payload)
        guard IPAddress.Family(number: try reader.number(UInt8.self)) != nil else { return nil }
        // Version and resource.
        _ = try reader.take(3)
        let attributes = try Attributes(reader.remainder)
        guard let bytes = attributes[CTA_TUPLE_ORIG], let answer = attributes[CTA_TUPLE_REPLY],
            let original = try Tuple(Attributes(bytes)), let reply = try Tuple(Attributes(answer))
        else { return nil }
        self.original = original
        self.reply = reply
        originalBytes = Array(bytes)
        status = ConnectionStatus(rawValue: try attributes.networkOrder(CTA_STATUS) ?? 0)
        mark = try attributes.networkOrder(CTA_MARK) ?? 0
        zone = try attributes.networkOrder(CTA_ZONE) ?? 0
        identifier = try attributes.networkOrder(CTA_ID)
    }

    // MARK: Requests

    /// Asks for all connections of a family; `body` may say more about them.
    package static func queryAll(
        _ family: IPAddress.Family, _ body: (inout MessageBuilder) -> Void = { _ in }
    ) -> Request {
        request("list the tracked connections", IPCTNL_MSG_CT_GET, family, flags: Request.dump, body)
    }

    /// Asks how many connections there are.
    static var count: Request {
        // The answer looks like the first one of several, of which there is no end unless one is asked for.
        request("count the tracked connections", IPCTNL_MSG_CT_GET_STATS, .ipv4, flags: Batch.acknowledge) { _ in }
    }

    /// Forgets this connection, and no other one.
    package var removal: Request {
        // Without a tuple the kernel would forget all of them.
        Self.request("forget a tracked connection", IPCTNL_MSG_CT_DELETE, original.source.family) {
            $0.nested(CTA_TUPLE_ORIG) { $0.append(bytes: originalBytes) }
            if zone != 0 { $0.networkOrder(CTA_ZONE, zone) }
            if let identifier { $0.networkOrder(CTA_ID, identifier) }
        }
    }

    private static func request(
        _ description: String, _ kind: cntl_msg_types, _ family: IPAddress.Family, flags: Int32 = 0,
        _ body: (inout MessageBuilder) -> Void
    ) -> Request {
        Request(description, type: NFNL_SUBSYS_CTNETLINK << 8 | Int32(kind.rawValue), flags: flags) {
            FirewallMessage.appendHeader(family.number, to: &$0)
            body(&$0)
        }
    }
}

extension ConnectionEntry.Tuple {
    /// Reads `CTA_TUPLE_ORIG` or `CTA_TUPLE_REPLY`; `nil` if something lacks.
    fileprivate init?(_ attributes: Attributes) throws(Errno) {
        guard let addresses = try attributes.nested(CTA_TUPLE_IP),
            let transport = try attributes.nested(CTA_TUPLE_PROTO),
            let source = addresses.address(CTA_IP_V4_SRC) ?? addresses.address(CTA_IP_V6_SRC),
            let destination = addresses.address(CTA_IP_V4_DST) ?? addresses.address(CTA_IP_V6_DST)
        else { return nil }
        self.source = source
        self.destination = destination
        protocolNumber = try transport.number(CTA_PROTO_NUM) ?? 0
        sourcePort = try transport.networkOrder(CTA_PROTO_SRC_PORT)
        destinationPort = try transport.networkOrder(CTA_PROTO_DST_PORT)
    }
}

extension ctattr_type: AttributeType {}
extension ctattr_tuple: AttributeType {}
extension ctattr_ip: AttributeType {}
extension ctattr_l4proto: AttributeType {}
extension ctattr_filter: AttributeType {}
extension ctattr_stats_global: AttributeType {}
