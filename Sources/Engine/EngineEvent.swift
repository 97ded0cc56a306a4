import OCISpec

/// Something that happened, as `docker events` prints it.
package struct EngineEvent: Hashable, Sendable {
    /// What an event is about.
    package enum Kind: String, Hashable, Sendable {
        case container, image, network, volume, daemon, plugin, builder
    }

    /// What it is about.
    package var kind: Kind
    /// `create`, `die`, `exec_create: sh -c …`, `tag`, …
    package var action: String
    /// The object's id.
    package var actorID: String
    /// Name, image, labels and what belongs to the action (`exitCode`, `signal`, …).
    package var attributes: [String: String]
    /// When it happened.
    package var time: Timestamp

    /// Something that has happened to an object.
    package init(
        kind: Kind, action: String, actorID: String, attributes: [String: String] = [:], time: Timestamp = .now()
    ) {
        self.kind = kind
        self.action = action
        self.actorID = actorID
        self.attributes = attributes
        self.time = time
    }
}
