/// Which members of which types are left out of a document, or read as if they were not there.
///
/// A type of the wire is one type for all versions of an interface; what belongs to some of them only is said here, in
/// one place, and not where values are filled in.
package struct MemberRules: Sendable {
    /// What becomes of a member.
    package enum Rule: Sendable {
        /// It does not exist.
        case hidden
        /// It is written unless it is null, false, zero, or empty.
        case omittedWhenEmpty
    }

    private var rules: [ObjectIdentifier: [String: Rule]] = [:]

    /// No rule at all.
    package init() {}

    /// Adds a rule for a member of a type.
    package mutating func add(_ rule: Rule, for member: String, of keys: MemberKeys) {
        rules[keys.identifier, default: [:]][member] = rule
    }

    /// The rules for a type's members; `nil` if there are none.
    func members<Key>(_ keys: Key.Type) -> [String: Rule]? { rules[ObjectIdentifier(keys)] }
}

/// Which type a rule is about: that of its coding keys, of which each type has its own.
package struct MemberKeys: Hashable, Sendable {
    let identifier: ObjectIdentifier

    /// The keys with which `sample` is encoded; `nil` for what is no object.
    package init?(of sample: some Encodable) {
        let probe = KeyTypeProbe()
        // An error comes after the keys have been seen.
        try? sample.encode(to: JSONEncoder(JSONSink(probe: probe), depth: 0))
        guard let found = probe.found else { return nil }
        identifier = found
    }
}

/// Finds out which coding keys a type has, which only the type knows otherwise.
final class KeyTypeProbe {
    private(set) var found: ObjectIdentifier?

    func see<Key>(_ keys: Key.Type) { if found == nil { found = ObjectIdentifier(keys) } }
}
