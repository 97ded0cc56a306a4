import LinuxKernel
import OCISpec

/// The capabilities a program gets: those of its configuration less what cannot be had, which the specification wants
/// to be left out with a warning, not refused.
struct ProcessCapabilities {
    let effective: CapabilitySet
    let permitted: CapabilitySet
    let inheritable: CapabilitySet
    let ambient: CapabilitySet
    /// What has been left out, in the words of runc's log.
    let warnings: [String]

    /// - Parameter own: what this process may have itself.
    init(_ wanted: LinuxCapabilities?, own: CapabilitySet) {
        var unknown: [String] = []
        func set(_ names: [String]?) -> CapabilitySet {
            var set: CapabilitySet = []
            for name in names ?? [] {
                if let capability = CapabilitySet(name: name) {
                    set.formUnion(capability)
                } else {
                    unknown.append(name)
                }
            }
            return set
        }
        let sets = [wanted?.effective, wanted?.permitted, wanted?.inheritable, wanted?.ambient].map(set)
        _ = set(wanted?.bounding)
        permitted = sets[1].intersection(own)
        inheritable = sets[2].intersection(own)
        effective = sets[0].intersection(permitted)
        ambient = sets[3].intersection(permitted).intersection(inheritable)

        var warnings: [String] = []
        let missing = sets[0].union(sets[1]).union(sets[2]).union(sets[3]).subtracting(own)
        if !unknown.isEmpty || !missing.isEmpty {
            let names = Set(unknown + missing.memberNames).sorted().joined(separator: " ")
            warnings.append("ignoring unknown or unavailable capabilities: [\(names)]")
        }
        for name in sets[3].intersection(own).subtracting(ambient).memberNames {
            warnings.append("can't raise ambient capability \(name): operation not permitted")
        }
        self.warnings = warnings
    }

    /// The capabilities a program and all it executes may ever get.
    static func bounding(_ wanted: LinuxCapabilities?) -> CapabilitySet {
        (wanted?.bounding ?? []).reduce(into: []) { set, name in
            if let capability = CapabilitySet(name: name) { set.formUnion(capability) }
        }
    }
}
