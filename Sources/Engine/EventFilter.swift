/// Which events somebody listens to. Of the values of one property any will do, except for labels, of which an event
/// must have all; what was given for different properties must all hold. Empty or nil: not asked for.
package struct EventFilter: Hashable, Sendable {
    /// Actions; `exec_create` means `exec_create: sh -c …` too, `health_status` every outcome.
    package var actions: [String] = []
    /// Kinds of objects; no event has an empty list of them.
    package var kinds: Set<EngineEvent.Kind>?
    /// Whether events of this machine are among those asked for: there are no others.
    package var includesLocal = true
    /// Labels, and what else is among an event's attributes.
    package var labels: [LabelFilter] = []
    /// Names of images, with or without their tag; events of containers have one, too.
    package var images: [String] = []
    /// Beginnings of names and ids of objects, by the word for their kind; not all of these words are known here.
    package var objects: [String: [String]] = [:]

    /// All events.
    package init() {}

    /// Whether an event passes.
    package func matches(_ event: EngineEvent) -> Bool {
        includesLocal
            && (actions.isEmpty || actions.contains { event.action == $0 || event.action.hasPrefix($0 + ":") })
            && (kinds?.contains(event.kind) ?? true)
            && labels.allSatisfy { $0.matches(event.attributes) }
            && (images.isEmpty || images.contains { Self.isAbout($0, event) })
            && objects.allSatisfy { kind, names in
                event.kind.rawValue == kind && names.contains { Self.names(event, $0) }
            }
    }

    private static func isAbout(_ image: String, _ event: EngineEvent) -> Bool {
        let reference = event.kind == .image ? event.actorID : event.attributes["image"] ?? ""
        let candidates = event.kind == .image ? [reference, event.attributes["name"] ?? ""] : [reference]
        return candidates.contains { $0 == image || withoutTag($0) == image }
    }

    private static func names(_ event: EngineEvent, _ value: String) -> Bool {
        event.actorID.hasPrefix(value) || event.attributes["name"]?.hasPrefix(value) ?? false
    }

    private static func withoutTag(_ reference: String) -> String {
        guard let colon = reference.lastIndex(of: ":"), !reference[colon...].contains("/") else { return reference }
        return String(reference[..<colon])
    }
}
