import OCISpec

/// A checked rule for the use of devices.
package struct DeviceRule: Hashable, Sendable {
    /// What kinds of devices a rule is about.
    package enum Kind: Hashable, Sendable {
        case all, block, character
    }

    /// What may be done with a device.
    package struct Access: OptionSet, Hashable, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        // The numbers of BPF_DEVCG_ACC_*.
        /// Making a device node.
        package static let makeNode = Access(rawValue: 1)
        /// Reading.
        package static let read = Access(rawValue: 2)
        /// Writing.
        package static let write = Access(rawValue: 4)
        /// All three.
        package static let all: Access = [.makeNode, .read, .write]
    }

    /// Whether the rule allows or refuses.
    package var allow: Bool
    /// The kind of devices.
    package var kind: Kind
    /// `nil` is any.
    package var major: UInt32?
    /// `nil` is any.
    package var minor: UInt32?
    /// The accesses that the rule allows or refuses.
    package var access: Access

    /// Checks `rule`.
    package init(_ rule: LinuxDeviceCgroup) throws(CgroupError) {
        allow = rule.allow
        switch rule.type ?? "a" {
        case "a", "": kind = .all
        case "c", "u": kind = .character
        case "b": kind = .block
        default: throw CgroupError("\"\(rule.type ?? "")\" is not a type of device (a, b or c)")
        }
        major = try Self.number(rule.major)
        minor = try Self.number(rule.minor)
        access = []
        for character in rule.access ?? "rwm" {
            switch character {
            case "r": access.insert(.read)
            case "w": access.insert(.write)
            case "m": access.insert(.makeNode)
            // As other runtimes do: what is not one of the three letters means nothing.
            default: continue
            }
        }
        guard !access.isEmpty || (rule.access ?? "").isEmpty else {
            throw CgroupError("\"\(rule.access ?? "")\" is not an access to a device (any of r, w and m)")
        }
        if access.isEmpty { access = .all }
    }

    private static func number(_ number: Int64?) throws(CgroupError) -> UInt32? {
        guard let number, number != -1 else { return nil }
        guard let number = UInt32(exactly: number) else { throw CgroupError("\(number) is not a device number") }
        return number
    }

    /// As `devices.allow` and `devices.deny` of version 1 want it.
    var legacyText: String {
        // The kernel takes "a" alone for everything and ignores whatever follows it.
        if kind == .all && major == nil && minor == nil && access == .all { return "a" }
        let major = major.map { "\($0)" } ?? "*"
        let minor = minor.map { "\($0)" } ?? "*"
        var letters = ""
        if access.contains(.read) { letters += "r" }
        if access.contains(.write) { letters += "w" }
        if access.contains(.makeNode) { letters += "m" }
        return "\(kind == .block ? "b" : kind == .character ? "c" : "a") \(major):\(minor) \(letters)"
    }
}
