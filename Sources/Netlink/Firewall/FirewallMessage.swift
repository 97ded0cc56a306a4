import CLinux
import SystemPackage

/// What messages of nf_tables have in common.
enum FirewallMessage {
    /// The kinds of messages (`NFT_MSG_…`); the last ones since Linux 6.3.
    enum Kind: UInt16 {
        case newTable = 0, getTable, deleteTable, newChain, getChain, deleteChain, newRule, getRule, deleteRule
        case newSet, getSet, deleteSet, newElement, getElement, deleteElement, newGeneration, getGeneration
        case destroyTable = 26, destroyChain, destroyRule, destroySet, destroyElement
    }

    /// Makes a new object, or none if there is one.
    static let create: Int32 = 0x400

    /// A message of one family, or of all.
    static func request(
        _ description: String, _ kind: Kind, _ family: FirewallFamily?, flags: Int32 = 0,
        _ body: (inout MessageBuilder) -> Void
    ) -> Request {
        Request(description, type: NFNL_SUBSYS_NFTABLES << 8 | Int32(kind.rawValue), flags: flags) {
            appendHeader(family?.rawValue ?? 0, to: &$0)
            body(&$0)
        }
    }

    /// Appends a `struct nfgenmsg`.
    static func appendHeader(_ family: UInt8, resource: UInt16 = 0, to builder: inout MessageBuilder) {
        builder.append(family)
        builder.append(UInt8(0))
        builder.append(resource.bigEndian)
    }

    /// Takes a message's payload apart; without a family if that is not known here.
    static func read(
        _ payload: ArraySlice<UInt8>
    ) throws(Errno) -> (family: FirewallFamily?, attributes: Attributes) {
        var reader = ByteReader(payload)
        let family = FirewallFamily(rawValue: try reader.number())
        // Version and generation.
        _ = try reader.take(3)
        return (family, try Attributes(reader.remainder))
    }

    /// What a message is about; `nil` if it is not of nf_tables or of a kind that is not known here.
    static func kind(of message: Message) -> Kind? {
        guard Int32(message.type >> 8) == NFNL_SUBSYS_NFTABLES else { return nil }
        return Kind(rawValue: message.type & 0xff)
    }
}

extension nft_list_attributes: AttributeType {}
extension nft_table_attributes: AttributeType {}
extension nft_chain_attributes: AttributeType {}
extension nft_hook_attributes: AttributeType {}
extension nft_devices_attributes: AttributeType {}
extension nft_rule_attributes: AttributeType {}
extension nft_set_attributes: AttributeType {}
extension nft_set_desc_attributes: AttributeType {}
extension nft_set_field_attributes: AttributeType {}
extension nft_set_elem_attributes: AttributeType {}
extension nft_set_elem_list_attributes: AttributeType {}
extension nft_data_attributes: AttributeType {}
extension nft_verdict_attributes: AttributeType {}
extension nft_gen_attributes: AttributeType {}
extension nfnl_batch_attributes: AttributeType {}
