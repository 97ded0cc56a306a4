import CLinux
import SystemPackage

extension Attributes {
    /// The list of expressions in the attribute `type`.
    func expressions(_ type: some AttributeType) throws(Errno) -> [Expression] {
        guard let list = try nested(type) else { return [] }
        var expressions: [Expression] = []
        for (_, payload) in list.all { expressions.append(try Expression(Attributes(payload))) }
        return expressions
    }

    fileprivate func register(_ type: some AttributeType) throws(Errno) -> Register? {
        guard let number = try networkOrder(type, as: UInt32.self) else { return nil }
        return try Register(number: number)
    }

    fileprivate func requiredRegister(_ type: some AttributeType) throws(Errno) -> Register {
        guard let register = try register(type) else { throw .badMessage }
        return register
    }

    /// The registers of a range; no last one if it is the first one, which is how the kernel tells a single value.
    fileprivate func registers(
        _ first: some AttributeType, _ last: some AttributeType
    ) throws(Errno) -> (Register?, Register?) {
        let (first, last) = (try register(first), try register(last))
        return (first, last == first ? nil : last)
    }

    fileprivate func value(_ type: some AttributeType) throws(Errno) -> [UInt8] {
        guard let value = try nested(type)?[NFTA_DATA_VALUE] else { return [] }
        return Array(value)
    }

    fileprivate func number(_ type: some AttributeType) throws(Errno) -> UInt32 {
        try networkOrder(type) ?? 0
    }

    fileprivate func large(_ type: some AttributeType) throws(Errno) -> UInt64 {
        try networkOrder(type) ?? 0
    }

    fileprivate func field() throws(Errno) -> PayloadField? {
        guard let base = PayloadField.Base(rawValue: try number(NFTA_PAYLOAD_BASE)) else { return nil }
        return PayloadField(base, offset: try number(NFTA_PAYLOAD_OFFSET), length: try number(NFTA_PAYLOAD_LEN))
    }
}

extension Expression {
    /// Reads the attributes of a list's `NFTA_LIST_ELEM`.
    init(_ attributes: Attributes) throws(Errno) {
        let name = attributes.text(NFTA_EXPR_NAME) ?? ""
        // What has nothing to say has no data, or none inside it.
        let data = try Attributes(attributes[NFTA_EXPR_DATA] ?? [])
        if let field = try Self.field(name, data) {
            self = field
        } else if let calculation = try Self.calculation(name, data) {
            self = calculation
        } else if let statement = try Self.statement(name, data) {
            self = statement
        } else {
            // What is known by name may still be in a form that is not known here.
            self = .unknown(name)
        }
    }

    private static func field(_ name: String, _ data: Attributes) throws(Errno) -> Expression? {
        switch name {
        case "meta":
            let key = MetaKey(rawValue: try data.number(NFTA_META_KEY))
            if let source = try data.register(NFTA_META_SREG) { return .setMeta(key, from: source) }
            return .meta(key, into: try data.requiredRegister(NFTA_META_DREG))
        case "ct":
            let key = ConnectionKey(rawValue: try data.number(NFTA_CT_KEY))
            if let source = try data.register(NFTA_CT_SREG) { return .setConnection(key, from: source) }
            let direction = try data.number(NFTA_CT_DIRECTION, as: UInt8.self)
            return .connection(
                key, direction.flatMap(ConnectionKey.Direction.init), into: try data.requiredRegister(NFTA_CT_DREG))
        case "payload":
            guard let field = try data.field() else { return nil }
            guard let source = try data.register(NFTA_PAYLOAD_SREG) else {
                return .payload(field, into: try data.requiredRegister(NFTA_PAYLOAD_DREG))
            }
            let checksum = PayloadChecksum(
                offset: try data.number(NFTA_PAYLOAD_CSUM_OFFSET),
                changesTransport: try data.number(NFTA_PAYLOAD_CSUM_FLAGS) & 1 != 0)
            return .setPayload(field, from: source, try data.number(NFTA_PAYLOAD_CSUM_TYPE) == 0 ? nil : checksum)
        case "fib":
            guard let result = RouteLookup(rawValue: try data.number(NFTA_FIB_RESULT)) else { return nil }
            let inputs = RouteLookup.Inputs(rawValue: try data.number(NFTA_FIB_FLAGS))
            return .routeLookup(result, inputs, into: try data.requiredRegister(NFTA_FIB_DREG))
        case "socket":
            guard let key = SocketKey(rawValue: try data.number(NFTA_SOCKET_KEY)) else { return nil }
            return .socket(key, into: try data.requiredRegister(NFTA_SOCKET_DREG))
        default: return nil
        }
    }

    private static func calculation(_ name: String, _ data: Attributes) throws(Errno) -> Expression? {
        switch name {
        case "immediate":
            guard let content = try data.nested(NFTA_IMMEDIATE_DATA) else { return nil }
            if let verdict = try content.nested(NFTA_DATA_VERDICT) { return .verdict(try Verdict(verdict)) }
            return .immediate(
                content[NFTA_DATA_VALUE].map(Array.init) ?? [], into: try data.requiredRegister(NFTA_IMMEDIATE_DREG))
        case "bitwise":
            // Shifts are of no use for what is asked of a packet's addresses.
            guard try data.number(NFTA_BITWISE_OP) == 0 else { return nil }
            return .bitwise(
                try data.requiredRegister(NFTA_BITWISE_SREG), into: try data.requiredRegister(NFTA_BITWISE_DREG),
                mask: try data.value(NFTA_BITWISE_MASK), exclusiveOr: try data.value(NFTA_BITWISE_XOR))
        case "cmp":
            guard let comparison = Comparison(rawValue: try data.number(NFTA_CMP_OP)) else { return nil }
            return .compare(try data.requiredRegister(NFTA_CMP_SREG), comparison, try data.value(NFTA_CMP_DATA))
        case "range":
            return .range(
                try data.requiredRegister(NFTA_RANGE_SREG), isInside: try data.number(NFTA_RANGE_OP) == 0,
                from: try data.value(NFTA_RANGE_FROM_DATA), through: try data.value(NFTA_RANGE_TO_DATA))
        case "lookup":
            let source = try data.requiredRegister(NFTA_LOOKUP_SREG)
            let set = data.text(NFTA_LOOKUP_SET) ?? ""
            guard let target = try data.networkOrder(NFTA_LOOKUP_DREG, as: UInt32.self) else {
                return .isMember(source, of: set, isInverted: try data.number(NFTA_LOOKUP_FLAGS) & 1 != 0)
            }
            if target == Register.verdictNumber { return .decide(source, by: set) }
            return .map(source, by: set, into: try Register(number: target))
        default: return nil
        }
    }

    private static func statement(_ name: String, _ data: Attributes) throws(Errno) -> Expression? {
        switch name {
        case "nat", "masq", "redir", "tproxy": return try translation(name, data)
        case "notrack": return .doNotTrack
        case "counter":
            return .counter(packets: try data.large(NFTA_COUNTER_PACKETS), bytes: try data.large(NFTA_COUNTER_BYTES))
        case "limit":
            return .limit(
                RateLimit(
                    try data.large(NFTA_LIMIT_RATE), seconds: try data.large(NFTA_LIMIT_UNIT),
                    burst: try data.number(NFTA_LIMIT_BURST), countsBytes: try data.number(NFTA_LIMIT_TYPE) == 1,
                    isInverted: try data.number(NFTA_LIMIT_FLAGS) & 1 != 0))
        case "reject":
            let code = try data.number(NFTA_REJECT_ICMP_CODE, as: UInt8.self) ?? 0
            switch try data.number(NFTA_REJECT_TYPE) {
            case 0: return .reject(.icmp(code: code))
            case 1: return .reject(.reset)
            case 2: return .reject(.icmpOfAnyFamily(code: code))
            default: return nil
            }
        case "log": return .log(prefix: data.text(NFTA_LOG_PREFIX) ?? "")
        case "match":
            return .tablesMatch(
                TablesExtension(
                    name: data.text(NFTA_MATCH_NAME) ?? "", revision: try data.number(NFTA_MATCH_REV),
                    information: data[NFTA_MATCH_INFO].map(Array.init) ?? []))
        case "target":
            return .tablesTarget(
                TablesExtension(
                    name: data.text(NFTA_TARGET_NAME) ?? "", revision: try data.number(NFTA_TARGET_REV),
                    information: data[NFTA_TARGET_INFO].map(Array.init) ?? []))
        default: return nil
        }
    }

    private static func translation(_ name: String, _ data: Attributes) throws(Errno) -> Expression? {
        switch name {
        case "nat":
            guard let side = AddressTranslation.Side(rawValue: try data.number(NFTA_NAT_TYPE)),
                let family = FirewallFamily(number: try data.number(NFTA_NAT_FAMILY))
            else { return nil }
            let (address, lastAddress) = try data.registers(NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_ADDR_MAX)
            let (port, lastPort) = try data.registers(NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_REG_PROTO_MAX)
            return .translate(
                AddressTranslation(
                    side, family, address: address, lastAddress: lastAddress, port: port, lastPort: lastPort,
                    options: .init(kernel: try data.number(NFTA_NAT_FLAGS))))
        case "masq":
            let (port, lastPort) = try data.registers(NFTA_MASQ_REG_PROTO_MIN, NFTA_MASQ_REG_PROTO_MAX)
            return .masquerade(port: port, lastPort: lastPort, .init(kernel: try data.number(NFTA_MASQ_FLAGS)))
        case "redir":
            let (port, lastPort) = try data.registers(NFTA_REDIR_REG_PROTO_MIN, NFTA_REDIR_REG_PROTO_MAX)
            return .redirect(port: port, lastPort: lastPort, .init(kernel: try data.number(NFTA_REDIR_FLAGS)))
        default:
            return .transparentProxy(
                FirewallFamily(number: try data.number(NFTA_TPROXY_FAMILY)),
                address: try data.register(NFTA_TPROXY_REG_ADDR), port: try data.register(NFTA_TPROXY_REG_PORT))
        }
    }
}

extension FirewallFamily {
    fileprivate init?(number: UInt32) {
        guard let number = UInt8(exactly: number) else { return nil }
        self.init(rawValue: number)
    }
}
