import EngineAPIModel
import JSON

/// A field of a wire type that not every version of the API has.
///
/// `VersionedField.all` is the one place that knows. Answers are encoded and requests decoded by it, so routes fill in
/// and read every field as if there were one version only.
package struct VersionedField: Sendable {
    /// The type.
    package let type: any WireStructure.Type
    /// The field's name.
    package let name: String
    /// In which versions answers have it.
    package let sent: VersionRange
    /// In which versions it is read; in others it counts as absent, as with Docker, whose old clients cannot have
    /// meant what did not exist.
    package let accepted: VersionRange
    /// In which versions answers leave it out where it says nothing.
    package let omittedWhenEmpty: VersionRange

    init(
        _ type: any WireStructure.Type, _ name: String, sent: VersionRange = .all, accepted: VersionRange = .all,
        omittedWhenEmpty: VersionRange = .none
    ) {
        self.type = type
        self.name = name
        self.sent = sent
        self.accepted = accepted
        self.omittedWhenEmpty = omittedWhenEmpty
    }

    static func fields(
        _ type: any WireStructure.Type, _ names: [String], sent: VersionRange = .all, accepted: VersionRange = .all,
        omittedWhenEmpty: VersionRange = .none
    ) -> [VersionedField] {
        names.map {
            VersionedField(type, $0, sent: sent, accepted: accepted, omittedWhenEmpty: omittedWhenEmpty)
        }
    }
}

/// How documents of each version are written and read.
package enum WireRules {
    /// The version that the running request asks for; answers are encoded for it (`HTTPResponse.json`). Bodies that
    /// are streamed are written after that: `WireLine` is told the version.
    @TaskLocal package static var version: APIVersion = .newest

    /// What answers of a version leave out.
    package static func sending(_ version: APIVersion) -> MemberRules { sent[index(version)] }

    /// What requests of a version do not have.
    package static func reading(_ version: APIVersion) -> MemberRules { read[index(version)] }

    private static func index(_ version: APIVersion) -> Int {
        min(max(version.minor, APIVersion.oldest.minor), APIVersion.newest.minor) - APIVersion.oldest.minor
    }

    private static let sent = table { field, minor in
        if !field.sent.contains(minor) { return .hidden }
        return field.omittedWhenEmpty.contains(minor) ? .omittedWhenEmpty : nil
    }

    private static let read = table { field, minor in field.accepted.contains(minor) ? nil : .hidden }

    private static func table(_ rule: (VersionedField, Int) -> MemberRules.Rule?) -> [MemberRules] {
        let fields = VersionedField.all.compactMap { field in
            MemberKeys(of: field.type.init()).map { (field, $0) }
        }
        return (APIVersion.oldest.minor...APIVersion.newest.minor).map { minor in
            var rules = MemberRules()
            for (field, keys) in fields {
                if let rule = rule(field, minor) { rules.add(rule, for: field.name, of: keys) }
            }
            return rules
        }
    }
}
