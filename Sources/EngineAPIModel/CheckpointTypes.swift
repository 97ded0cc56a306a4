/// What `POST /containers/{id}/checkpoints` is to do.
package struct CheckpointCreateRequest: WireObject {
    /// The checkpoint's name.
    @Always package var checkpointID: String = ""
    /// The directory that gets it; empty for the container's own.
    @OmittedIfEmpty package var checkpointDir: String = ""
    /// Whether the container ends with it.
    @Always package var exit: Bool = false

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case checkpointID = "CheckpointID"
        case checkpointDir = "CheckpointDir"
        case exit = "Exit"
    }
}

/// A row of `GET /containers/{id}/checkpoints`.
package struct CheckpointSummary: WireObject {
    /// The checkpoint's name.
    @Always package var name: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
    }
}
