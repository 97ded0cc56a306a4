import CLinux
import SystemPackage

/// A set of keys, or a map of keys to values or verdicts, that rules look into; also the way to refer to it.
package struct FirewallSet: Hashable, Sendable {
    /// The table that it is in.
    package var table: FirewallTable
    /// At most 255 bytes.
    package var name: String
    /// The parts of a key.
    package var key: [DataType]
    /// What a key leads to.
    package var content: Content
    /// Whether an element may stand for a whole range of keys.
    package var hasIntervals: Bool
    /// Whether elements may vanish after a time.
    package var hasTimeouts: Bool
    /// Whether nothing can be added or removed once a rule refers to it.
    package var isConstant: Bool
    /// Whether rules may add elements.
    package var isDynamic: Bool
    /// How many elements it may have; `nil` for any number.
    package var size: UInt32?

    /// What a key leads to.
    package enum Content: Hashable, Sendable {
        /// To nothing: it is a set.
        case none
        /// To values with these parts.
        case values([DataType])
        /// To what becomes of the packet.
        case verdicts
        /// To objects, such as counters with a name.
        case objects
    }

    /// A set that is made like this, or the way to refer to one.
    package init(
        _ table: FirewallTable, _ name: String, key: [DataType], _ content: Content = .none, hasIntervals: Bool = false,
        hasTimeouts: Bool = false, isConstant: Bool = false, isDynamic: Bool = false, size: UInt32? = nil
    ) {
        self.table = table
        self.name = name
        self.key = key
        self.content = content
        self.hasIntervals = hasIntervals
        self.hasTimeouts = hasTimeouts
        self.isConstant = isConstant
        self.isDynamic = isDynamic
        self.size = size
    }

    /// Reads the payload of an `NFT_MSG_NEWSET`; `nil` of a family that is not known here.
    package init?(payload: ArraySlice<UInt8>) throws(Errno) {
        let (family, attributes) = try FirewallMessage.read(payload)
        guard let family else { return nil }
        table = FirewallTable(family, attributes.text(NFTA_SET_TABLE) ?? "")
        name = attributes.text(NFTA_SET_NAME) ?? ""
        let flags = Flags(rawValue: try attributes.networkOrder(NFTA_SET_FLAGS) ?? 0)
        hasIntervals = flags.contains(.intervals)
        hasTimeouts = flags.contains(.timeouts)
        isConstant = flags.contains(.constant)
        isDynamic = flags.contains(.dynamic)
        let length = try attributes.networkOrder(NFTA_SET_KEY_LEN, as: UInt32.self) ?? 0
        key = DataType.parts(of: try attributes.networkOrder(NFTA_SET_KEY_TYPE) ?? 0, length: Int(length))
        size = try attributes.nested(NFTA_SET_DESC)?.networkOrder(NFTA_SET_DESC_SIZE)
        let type: UInt32 = try attributes.networkOrder(NFTA_SET_DATA_TYPE) ?? 0
        let dataLength = try attributes.networkOrder(NFTA_SET_DATA_LEN, as: UInt32.self) ?? 0
        if flags.contains(.objects) {
            content = .objects
        } else if !flags.contains(.map) {
            content = .none
        } else if type == Self.verdictType {
            content = .verdicts
        } else {
            content = .values(DataType.parts(of: type, length: Int(dataLength)))
        }
    }

    struct Flags: OptionSet {
        let rawValue: UInt32
        static let constant = Flags(rawValue: 2)
        static let intervals = Flags(rawValue: 4)
        static let map = Flags(rawValue: 8)
        static let timeouts = Flags(rawValue: 0x10)
        static let dynamic = Flags(rawValue: 0x20)
        static let objects = Flags(rawValue: 0x40)
        static let concatenated = Flags(rawValue: 0x80)
    }

    /// `NFT_DATA_VERDICT`.
    private static let verdictType: UInt32 = 0xffff_ff00

    /// Whether a range is told by the keys of both ends in one element.
    var hasRangesOfParts: Bool { hasIntervals && key.count > 1 }

    private var flags: Flags {
        var flags: Flags = []
        if isConstant { flags.insert(.constant) }
        if hasIntervals { flags.insert(.intervals) }
        if hasTimeouts { flags.insert(.timeouts) }
        if isDynamic { flags.insert(.dynamic) }
        if hasRangesOfParts { flags.insert(.concatenated) }
        switch content {
        case .none: break
        case .values, .verdicts: flags.insert(.map)
        case .objects: flags.insert(.objects)
        }
        return flags
    }

    // MARK: Requests

    /// Makes the set if there is none.
    package var addition: Request { creation(FirewallMessage.create) }

    /// Makes the set; fails if there is one.
    package var creation: Request { creation(Request.create) }

    /// Removes the set, which no rule may refer to, with its elements.
    package var removal: Request { reference("remove the \(self)", .deleteSet) }

    /// Removes the set, if there is one, with its elements (Linux 6.3).
    package var destruction: Request { reference("remove the \(self)", .destroySet) }

    private func reference(_ what: String, _ kind: FirewallMessage.Kind) -> Request {
        FirewallMessage.request(what, kind, table.family) {
            $0.attribute(NFTA_SET_TABLE, table.name)
            $0.attribute(NFTA_SET_NAME, name)
        }
    }

    private func creation(_ flags: Int32) -> Request {
        FirewallMessage.request("create the \(self)", .newSet, table.family, flags: flags) {
            $0.attribute(NFTA_SET_TABLE, table.name)
            $0.attribute(NFTA_SET_NAME, name)
            $0.networkOrder(NFTA_SET_FLAGS, self.flags.rawValue)
            $0.networkOrder(NFTA_SET_KEY_TYPE, DataType.combined(key))
            $0.networkOrder(NFTA_SET_KEY_LEN, UInt32(FirewallKey.length(key)))
            switch content {
            case .none, .objects: break
            case .verdicts:
                $0.networkOrder(NFTA_SET_DATA_TYPE, Self.verdictType)
                $0.networkOrder(NFTA_SET_DATA_LEN, UInt32(0))
            case .values(let types):
                $0.networkOrder(NFTA_SET_DATA_TYPE, DataType.combined(types))
                $0.networkOrder(NFTA_SET_DATA_LEN, UInt32(FirewallKey.length(types)))
            }
            // Refers to it in the same batch, where it has a name as well; the kernel insists on one.
            $0.networkOrder(NFTA_SET_ID, UInt32(1))
            if size != nil || hasRangesOfParts { $0.nested(NFTA_SET_DESC) { appendDescription(to: &$0) } }
            $0.attribute(NFTA_SET_USERDATA, userData.bytes)
        }
    }

    private func appendDescription(to builder: inout MessageBuilder) {
        if let size { builder.networkOrder(NFTA_SET_DESC_SIZE, size) }
        guard hasRangesOfParts else { return }
        builder.nested(NFTA_SET_DESC_CONCAT) {
            for part in key {
                $0.nested(NFTA_LIST_ELEM) { $0.networkOrder(NFTA_SET_FIELD_LEN, UInt32(part.length)) }
            }
        }
    }

    /// In which byte order nft(8) reads keys and values; of several parts each has its own.
    private var userData: FirewallUserData {
        func order(_ types: [DataType]) -> [UInt8] {
            withUnsafeBytes(of: types.count == 1 ? types[0].byteOrder.rawValue : 0) { Array($0) }
        }
        var values: [(UInt8, [UInt8])] = [(0, order(key))]
        switch content {
        case .values(let types): values.append((1, order(types)))
        case .verdicts: values.append((1, order([])))
        case .none, .objects: break
        }
        return FirewallUserData(values)
    }

    /// Asks for all sets.
    package static func queryAll() -> Request {
        FirewallMessage.request("list the sets of nf_tables", .getSet, nil, flags: Request.dump) { _ in }
    }
}

extension FirewallSet: CustomStringConvertible {
    package var description: String {
        (content == .none ? "set" : "map") + " \(table.family) \(table.name) \(name)"
    }
}
