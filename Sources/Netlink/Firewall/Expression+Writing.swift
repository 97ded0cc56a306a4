import CLinux

extension MessageBuilder {
    /// Appends a list of expressions as `type`.
    mutating func expressions(_ type: some AttributeType, _ expressions: [Expression]) {
        nested(type) {
            for expression in expressions {
                $0.nested(NFTA_LIST_ELEM) {
                    $0.attribute(NFTA_EXPR_NAME, expression.name)
                    $0.nested(NFTA_EXPR_DATA) { expression.append(to: &$0) }
                }
            }
        }
    }

    fileprivate mutating func register(_ type: some AttributeType, _ register: Register?) {
        if let register { networkOrder(type, register.number) }
    }

    fileprivate mutating func value(_ type: some AttributeType, _ bytes: [UInt8]) {
        nested(type) { $0.attribute(NFTA_DATA_VALUE, bytes) }
    }

    fileprivate mutating func field(_ field: PayloadField) {
        networkOrder(NFTA_PAYLOAD_BASE, field.base.rawValue)
        networkOrder(NFTA_PAYLOAD_OFFSET, field.offset)
        networkOrder(NFTA_PAYLOAD_LEN, field.length)
    }
}

extension Expression {
    /// Appends the content of `NFTA_EXPR_DATA`.
    func append(to builder: inout MessageBuilder) {
        switch self {
        case .meta, .setMeta, .connection, .setConnection, .payload, .setPayload, .routeLookup, .socket:
            appendField(to: &builder)
        case .immediate(let bytes, let register):
            builder.register(NFTA_IMMEDIATE_DREG, register)
            builder.value(NFTA_IMMEDIATE_DATA, bytes)
        case .verdict(let verdict):
            builder.networkOrder(NFTA_IMMEDIATE_DREG, Register.verdictNumber)
            builder.nested(NFTA_IMMEDIATE_DATA) { verdict.append(to: &$0) }
        case .bitwise(let source, let register, let mask, let bits):
            builder.register(NFTA_BITWISE_SREG, source)
            builder.register(NFTA_BITWISE_DREG, register)
            builder.networkOrder(NFTA_BITWISE_LEN, UInt32(mask.count))
            builder.value(NFTA_BITWISE_MASK, mask)
            builder.value(NFTA_BITWISE_XOR, bits)
        case .compare(let register, let comparison, let bytes):
            builder.register(NFTA_CMP_SREG, register)
            builder.networkOrder(NFTA_CMP_OP, comparison.rawValue)
            builder.value(NFTA_CMP_DATA, bytes)
        case .range(let register, let isInside, let first, let last):
            builder.register(NFTA_RANGE_SREG, register)
            builder.networkOrder(NFTA_RANGE_OP, UInt32(isInside ? 0 : 1))
            builder.value(NFTA_RANGE_FROM_DATA, first)
            builder.value(NFTA_RANGE_TO_DATA, last)
        case .isMember, .map, .decide: appendLookup(to: &builder)
        case .translate, .masquerade, .redirect, .transparentProxy: appendTranslation(to: &builder)
        default: appendStatement(to: &builder)
        }
    }

    private func appendField(to builder: inout MessageBuilder) {
        switch self {
        case .meta(let key, let register):
            builder.networkOrder(NFTA_META_KEY, key.rawValue)
            builder.register(NFTA_META_DREG, register)
        case .setMeta(let key, let register):
            builder.networkOrder(NFTA_META_KEY, key.rawValue)
            builder.register(NFTA_META_SREG, register)
        case .connection(let key, let direction, let register):
            builder.networkOrder(NFTA_CT_KEY, key.rawValue)
            builder.register(NFTA_CT_DREG, register)
            if let direction { builder.attribute(NFTA_CT_DIRECTION, direction.rawValue) }
        case .setConnection(let key, let register):
            builder.networkOrder(NFTA_CT_KEY, key.rawValue)
            builder.register(NFTA_CT_SREG, register)
        case .payload(let field, let register):
            builder.register(NFTA_PAYLOAD_DREG, register)
            builder.field(field)
        case .setPayload(let field, let register, let checksum):
            builder.register(NFTA_PAYLOAD_SREG, register)
            builder.field(field)
            // 1 is the checksum of IP (NFT_PAYLOAD_CSUM_INET).
            builder.networkOrder(NFTA_PAYLOAD_CSUM_TYPE, UInt32(checksum == nil ? 0 : 1))
            builder.networkOrder(NFTA_PAYLOAD_CSUM_OFFSET, checksum?.offset ?? 0)
            if checksum?.changesTransport == true { builder.networkOrder(NFTA_PAYLOAD_CSUM_FLAGS, UInt32(1)) }
        case .routeLookup(let result, let inputs, let register):
            builder.register(NFTA_FIB_DREG, register)
            builder.networkOrder(NFTA_FIB_RESULT, result.rawValue)
            builder.networkOrder(NFTA_FIB_FLAGS, inputs.rawValue)
        case .socket(let key, let register):
            builder.networkOrder(NFTA_SOCKET_KEY, key.rawValue)
            builder.register(NFTA_SOCKET_DREG, register)
        default: break
        }
    }

    private func appendLookup(to builder: inout MessageBuilder) {
        switch self {
        case .isMember(let register, let set, let isInverted):
            builder.attribute(NFTA_LOOKUP_SET, set)
            builder.register(NFTA_LOOKUP_SREG, register)
            if isInverted { builder.networkOrder(NFTA_LOOKUP_FLAGS, UInt32(1)) }
        case .map(let register, let set, let target):
            builder.attribute(NFTA_LOOKUP_SET, set)
            builder.register(NFTA_LOOKUP_SREG, register)
            builder.register(NFTA_LOOKUP_DREG, target)
        case .decide(let register, let set):
            builder.attribute(NFTA_LOOKUP_SET, set)
            builder.register(NFTA_LOOKUP_SREG, register)
            builder.networkOrder(NFTA_LOOKUP_DREG, Register.verdictNumber)
        default: break
        }
    }

    private func appendTranslation(to builder: inout MessageBuilder) {
        switch self {
        case .translate(let translation):
            builder.networkOrder(NFTA_NAT_TYPE, translation.side.rawValue)
            builder.networkOrder(NFTA_NAT_FAMILY, UInt32(translation.family.rawValue))
            builder.register(NFTA_NAT_REG_ADDR_MIN, translation.address)
            builder.register(NFTA_NAT_REG_ADDR_MAX, translation.lastAddress)
            builder.register(NFTA_NAT_REG_PROTO_MIN, translation.port)
            builder.register(NFTA_NAT_REG_PROTO_MAX, translation.lastPort)
            if !translation.options.isEmpty { builder.networkOrder(NFTA_NAT_FLAGS, translation.options.rawValue) }
        case .masquerade(let port, let lastPort, let options):
            if !options.isEmpty { builder.networkOrder(NFTA_MASQ_FLAGS, options.rawValue) }
            builder.register(NFTA_MASQ_REG_PROTO_MIN, port)
            builder.register(NFTA_MASQ_REG_PROTO_MAX, lastPort)
        case .redirect(let port, let lastPort, let options):
            builder.register(NFTA_REDIR_REG_PROTO_MIN, port)
            builder.register(NFTA_REDIR_REG_PROTO_MAX, lastPort)
            if !options.isEmpty { builder.networkOrder(NFTA_REDIR_FLAGS, options.rawValue) }
        case .transparentProxy(let family, let address, let port):
            builder.networkOrder(NFTA_TPROXY_FAMILY, UInt32(family?.rawValue ?? 0))
            builder.register(NFTA_TPROXY_REG_ADDR, address)
            builder.register(NFTA_TPROXY_REG_PORT, port)
        default: break
        }
    }

    private func appendStatement(to builder: inout MessageBuilder) {
        switch self {
        case .counter(let packets, let bytes):
            builder.networkOrder(NFTA_COUNTER_BYTES, bytes)
            builder.networkOrder(NFTA_COUNTER_PACKETS, packets)
        case .limit(let limit):
            builder.networkOrder(NFTA_LIMIT_RATE, limit.rate)
            builder.networkOrder(NFTA_LIMIT_UNIT, limit.seconds)
            builder.networkOrder(NFTA_LIMIT_BURST, limit.burst)
            builder.networkOrder(NFTA_LIMIT_TYPE, UInt32(limit.countsBytes ? 1 : 0))
            builder.networkOrder(NFTA_LIMIT_FLAGS, UInt32(limit.isInverted ? 1 : 0))
        case .reject(let rejection):
            builder.networkOrder(NFTA_REJECT_TYPE, rejection.number)
            if let code = rejection.code { builder.attribute(NFTA_REJECT_ICMP_CODE, code) }
        case .log(let prefix):
            if !prefix.isEmpty { builder.attribute(NFTA_LOG_PREFIX, prefix) }
        case .tablesMatch(let match):
            builder.attribute(NFTA_MATCH_NAME, match.name)
            builder.networkOrder(NFTA_MATCH_REV, match.revision)
            builder.attribute(NFTA_MATCH_INFO, match.information)
        case .tablesTarget(let target):
            builder.attribute(NFTA_TARGET_NAME, target.name)
            builder.networkOrder(NFTA_TARGET_REV, target.revision)
            builder.attribute(NFTA_TARGET_INFO, target.information)
        default: break
        }
    }
}

extension Rejection {
    /// `NFT_REJECT_…`.
    fileprivate var number: UInt32 {
        switch self {
        case .icmp: 0
        case .reset: 1
        case .icmpOfAnyFamily: 2
        }
    }

    fileprivate var code: UInt8? {
        switch self {
        case .icmp(let code), .icmpOfAnyFamily(let code): code
        case .reset: nil
        }
    }
}
