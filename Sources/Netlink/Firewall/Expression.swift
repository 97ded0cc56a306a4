import CLinux
import SystemPackage

/// A step of a rule. Steps pass values on in registers; the first one that does not hold ends the rule.
package enum Expression: Hashable, Sendable {
    case meta(MetaKey, into: Register)
    case setMeta(MetaKey, from: Register)
    case connection(ConnectionKey, ConnectionKey.Direction?, into: Register)
    case setConnection(ConnectionKey, from: Register)
    case payload(PayloadField, into: Register)
    case setPayload(PayloadField, from: Register, PayloadChecksum?)
    case routeLookup(RouteLookup, RouteLookup.Inputs, into: Register)
    case socket(SocketKey, into: Register)
    case immediate([UInt8], into: Register)
    case bitwise(Register, into: Register, mask: [UInt8], exclusiveOr: [UInt8])
    /// Holds if the register's value compares like this with the given one.
    case compare(Register, Comparison, [UInt8])
    /// Holds if the register's value is in the range, or if not.
    case range(Register, isInside: Bool, from: [UInt8], through: [UInt8])
    /// Holds if the register's value is in the set, or if not.
    case isMember(Register, of: String, isInverted: Bool)
    /// Holds if the register's value is in the map, and passes on what it leads to.
    case map(Register, by: String, into: Register)
    /// Holds if the register's value is in the map, whose verdict then decides.
    case decide(Register, by: String)
    case verdict(Verdict)
    case translate(AddressTranslation)
    /// Translates the source to the address of the interface that the packet leaves by.
    case masquerade(port: Register?, lastPort: Register?, AddressTranslation.Options)
    /// Translates the destination to this machine.
    case redirect(port: Register?, lastPort: Register?, AddressTranslation.Options)
    /// Hands the packet to a local socket, with its addresses as they are; of both families if there is none.
    case transparentProxy(FirewallFamily?, address: Register?, port: Register?)
    /// Leaves the packet's connection unknown.
    case doNotTrack
    case counter(packets: UInt64, bytes: UInt64)
    case limit(RateLimit)
    case reject(Rejection)
    case log(prefix: String)
    /// A condition of iptables.
    case tablesMatch(TablesExtension)
    /// What a rule of iptables does.
    case tablesTarget(TablesExtension)
    /// A step that is not known here, by the kernel's name for it. The kernel takes none like this.
    case unknown(String)
}

extension Expression {
    /// The kernel's name for it.
    package var name: String {
        switch self {
        case .meta, .setMeta: "meta"
        case .connection, .setConnection: "ct"
        case .payload, .setPayload: "payload"
        case .routeLookup: "fib"
        case .socket: "socket"
        case .immediate, .verdict: "immediate"
        case .bitwise: "bitwise"
        case .compare: "cmp"
        case .range: "range"
        case .isMember, .map, .decide: "lookup"
        case .translate: "nat"
        case .masquerade: "masq"
        case .redirect: "redir"
        case .transparentProxy: "tproxy"
        case .doNotTrack: "notrack"
        case .counter: "counter"
        case .limit: "limit"
        case .reject: "reject"
        case .log: "log"
        case .tablesMatch: "match"
        case .tablesTarget: "target"
        case .unknown(let name): name
        }
    }
}

extension nft_expr_attributes: AttributeType {}
extension nft_meta_attributes: AttributeType {}
extension nft_ct_attributes: AttributeType {}
extension nft_payload_attributes: AttributeType {}
extension nft_fib_attributes: AttributeType {}
extension nft_socket_attributes: AttributeType {}
extension nft_immediate_attributes: AttributeType {}
extension nft_bitwise_attributes: AttributeType {}
extension nft_cmp_attributes: AttributeType {}
extension nft_range_attributes: AttributeType {}
extension nft_lookup_attributes: AttributeType {}
extension nft_nat_attributes: AttributeType {}
extension nft_masq_attributes: AttributeType {}
extension nft_redir_attributes: AttributeType {}
extension nft_tproxy_attributes: AttributeType {}
extension nft_counter_attributes: AttributeType {}
extension nft_limit_attributes: AttributeType {}
extension nft_reject_attributes: AttributeType {}
extension nft_log_attributes: AttributeType {}
extension nft_match_attributes: AttributeType {}
extension nft_target_attributes: AttributeType {}
