import Cgroups
import DBus
import OCISpec

/// Rules for devices as systemd knows them: a list of what is allowed, and nothing else is.
///
/// What cannot be said in such a list is in the rules that are set in the control group itself afterwards.
struct DeviceProperties {
    let properties: [UnitProperty]

    /// The version of systemd that first knows `char-136` and device numbers without a file.
    private static let sinceNumbers = 240

    /// Later rules override earlier ones.
    init(_ rules: [LinuxDeviceCgroup], version: Int) throws(RuntimeError) {
        var allowsAll = false
        var hasExceptions = false
        var list: [DeviceRule] = []
        for rule in rules {
            let rule = try withCgroupErrors { () throws(CgroupError) in try DeviceRule(rule) }
            if rule.kind == .all, rule.major == nil, rule.minor == nil {
                allowsAll = rule.allow
                hasExceptions = false
                list = []
            } else if allowsAll {
                if !rule.allow { hasExceptions = true }
            } else {
                Self.change(&list, rule)
            }
        }
        let nothing = UnitProperty("DeviceAllow", .array(Self.entryType, []))
        if allowsAll, !hasExceptions {
            properties = [nothing, UnitProperty("DevicePolicy", .string("auto"))]
            return
        }
        let isListed = !allowsAll && version >= Self.sinceNumbers
        // What is set is added to what there is, which only an empty list clears.
        properties =
            [nothing, UnitProperty("DevicePolicy", .string("strict"))]
            + (isListed ? [UnitProperty("DeviceAllow", .array(Self.entryType, list.flatMap(Self.entries)))] : [])
    }

    private static let entryType = DBusType.structure([.string, .string])

    private static func change(_ list: inout [DeviceRule], _ rule: DeviceRule) {
        let place = list.firstIndex { $0.kind == rule.kind && $0.major == rule.major && $0.minor == rule.minor }
        guard let place else {
            if rule.allow { list.append(rule) }
            return
        }
        if rule.allow {
            list[place].access.formUnion(rule.access)
        } else {
            list[place].access.subtract(rule.access)
            if list[place].access.isEmpty { list.remove(at: place) }
        }
    }

    private static func entries(_ rule: DeviceRule) -> [DBusValue] {
        var letters = ""
        for (access, letter) in [(DeviceRule.Access.read, "r"), (.write, "w"), (.makeNode, "m")]
        where rule.access.contains(access) { letters += letter }
        let kinds: [(name: String, DeviceRule.Kind)] = [("char", .character), ("block", .block)]
        return kinds.compactMap { name, kind in
            guard rule.kind == .all || rule.kind == kind else { return nil }
            let path: String
            switch (rule.major, rule.minor) {
            case (let major?, let minor?): path = "/dev/\(name)/\(major):\(minor)"
            case (let major?, nil): path = "\(name)-\(major)"
            case (nil, nil): path = "\(name)-*"
            // There is no way to say this one.
            case (nil, _): return nil
            }
            return .structure([.string(path), .string(letters)])
        }
    }
}
