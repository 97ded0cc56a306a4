import Addresses
import Netlink

/// Carries out the steps of one rule for a packet, as far as is known what they come to.
struct RuleMatch {
    /// Whether a rule applies, and what it then decides.
    enum Result {
        case fails
        case holds(Verdict?)
        /// A condition asks for something that is not known.
        case mayHold(Verdict?)
    }

    let host: HostRuleset
    let packet: FirewallPacket
    let table: FirewallTable
    /// What is known of the registers, four bytes each.
    private var registers: [Int: [UInt8]] = [:]
    /// Of values that are not wholly known: what of them is.
    private var partial: [Int: [UInt8?]] = [:]
    private var isCertain = true

    init(host: HostRuleset, packet: FirewallPacket, table: FirewallTable) {
        self.host = host
        self.packet = packet
        self.table = table
    }

    mutating func apply(_ rule: FirewallRule) -> Result {
        var decision: Verdict?
        for expression in rule.expressions {
            switch perform(expression, &decision) {
            case true?: break
            case false?: return .fails
            case nil: isCertain = false
            }
            if decision != nil { break }
        }
        return isCertain ? .holds(decision) : .mayHold(decision)
    }

    /// Whether the rule goes on behind this step; `nil` if that is not known.
    private mutating func perform(_ expression: Expression, _ decision: inout Verdict?) -> Bool? {
        switch expression {
        case .meta(.inputInterfaceIndex, let register): load(index(packet.inputInterface), register)
        case .meta(.outputInterfaceIndex, let register): load(index(packet.outputInterface), register)
        case .meta(let key, let register): load(packet.bytes(key), register)
        case .connection(let key, _, let register): load(packet.bytes(key), register)
        case .payload(let field, let register):
            load(packet.bytes(field), register)
            partial[register.slot] = packet.knownBytes(field)
        case .routeLookup(let lookup, let inputs, let register): load(packet.bytes(lookup, inputs), register)
        case .socket(_, let register): load(nil, register)
        case .immediate(let bytes, let register): load(bytes, register)
        case .bitwise(let source, let target, let mask, let exclusiveOr):
            load(
                value(source, mask.count).map { bytes in
                    zip(zip(bytes, mask), exclusiveOr).map { $0.0 & $0.1 ^ $1 }
                }, target)
        case .compare(let register, let comparison, let bytes):
            if let value = value(register, bytes.count) { return Self.compare(value, comparison, bytes) }
            // Where a known byte differs, the others do not matter.
            guard let known = partial[register.slot], zip(known, bytes).contains(where: { $0 != nil && $0 != $1 })
            else { return nil }
            return comparison == .equal ? false : comparison == .notEqual ? true : nil
        case .range(let register, let isInside, let first, let last):
            return value(register, first.count).map { bytes in
                let below = bytes.lexicographicallyPrecedes(first)
                return (!below && !last.lexicographicallyPrecedes(bytes)) == isInside
            }
        case .isMember(let register, let name, let isInverted):
            return find(register, in: name).map { ($0 != nil) != isInverted }
        case .map(let register, let name, let target):
            guard let found = find(register, in: name) else { return unknown(target) }
            guard case .value(let value)? = found?.content else { return false }
            load(value.bytes, target)
        case .decide(let register, let name):
            guard let found = find(register, in: name) else { return nil }
            guard case .verdict(let verdict)? = found?.content else { return false }
            decision = verdict
        case .verdict(let verdict): decision = verdict
        case .reject: decision = .drop
        case .tablesTarget(let target):
            if target.name == "REJECT" || target.name == "DROP" { decision = .drop }
            if target.name == "NFQUEUE" { decision = .other(3) }
        case .tablesMatch(let match): return TablesMatch(match).holds(packet)
        // A limit lets the first packets pass; beyond one, none.
        case .limit(let limit): return !limit.isInverted
        case .setMeta, .setConnection, .setPayload, .translate, .masquerade, .redirect, .transparentProxy, .doNotTrack,
            .counter, .log:
            break
        case .unknown: return nil
        }
        return true
    }

    /// An interface's number; 0, which none has, for one that the host does not have.
    private func index(_ interface: String?) -> [UInt8]? {
        interface.map { FieldValue.index(host.interfaces[$0] ?? 0).bytes }
    }

    // MARK: Registers

    private mutating func load(_ bytes: [UInt8]?, _ register: Register) {
        partial[register.slot] = nil
        guard let bytes else {
            // The longest value has sixteen bytes.
            for slot in register.slot..<(register.slot + 4) { registers[slot] = nil }
            return
        }
        var rest = bytes[...]
        var slot = register.slot
        while !rest.isEmpty {
            registers[slot] = Array((Array(rest.prefix(4)) + [0, 0, 0]).prefix(4))
            rest = rest.dropFirst(4)
            slot += 1
        }
    }

    private mutating func unknown(_ register: Register) -> Bool? {
        load(nil, register)
        return nil
    }

    private func value(_ register: Register, _ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        for slot in register.slot..<(register.slot + (count + 3) / 4) {
            guard let word = registers[slot] else { return nil }
            bytes += word
        }
        return Array(bytes.prefix(count))
    }

    private static func compare(_ value: [UInt8], _ comparison: Comparison, _ other: [UInt8]) -> Bool {
        switch comparison {
        case .equal: value == other
        case .notEqual: value != other
        case .less: value.lexicographicallyPrecedes(other)
        case .lessOrEqual: !other.lexicographicallyPrecedes(value)
        case .greater: other.lexicographicallyPrecedes(value)
        case .greaterOrEqual: !value.lexicographicallyPrecedes(other)
        }
    }

    // MARK: Sets

    /// The element for a key, `.some(nil)` if there is none; `nil` if key or set are not known.
    private func find(_ register: Register, in name: String) -> FirewallElement?? {
        let id = HostRuleset.key(table, set: name)
        guard let set = host.sets.first(where: { HostRuleset.key($0) == id }), let elements = host.elements[id],
            let key = value(register, FirewallKey.length(set.key))
        else { return nil }
        return .some(
            elements.first { element in
                guard let last = element.lastKey else { return element.key.bytes == key }
                guard let keys = FirewallKey(bytes: key).values(set.key), let firsts = element.key.values(set.key),
                    let lasts = last.values(set.key)
                else { return false }
                // Each part has a range of its own.
                return zip(keys, zip(firsts, lasts)).allSatisfy { key, range in
                    !key.bytes.lexicographicallyPrecedes(range.0.bytes)
                        && !range.1.bytes.lexicographicallyPrecedes(key.bytes)
                }
            })
    }
}
