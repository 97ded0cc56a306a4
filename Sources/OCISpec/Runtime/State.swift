/// What a runtime says of a container (`runtime.md`, "State"); hooks read it from their standard input.
package struct State: Codable, Hashable, Sendable {
    /// The version of the specification the state keeps to.
    package var ociVersion: String
    /// The container's name, unique on this runtime's root.
    package var id: String
    /// Where it is in its life.
    package var status: ContainerStatus
    /// The first process, as the runtime's own pid namespace numbers it; not there when it is stopped.
    package var pid: Int32?
    /// The bundle's absolute path.
    package var bundle: String
    /// The configuration's annotations.
    package var annotations: [String: String]?

    /// A state.
    package init(
        ociVersion: String = "1.3.0", id: String, status: ContainerStatus, pid: Int32? = nil, bundle: String,
        annotations: [String: String]? = nil
    ) {
        self.ociVersion = ociVersion
        self.id = id
        self.status = status
        self.pid = pid
        self.bundle = bundle
        self.annotations = annotations
    }
}

/// Where a container is in its life.
package enum ContainerStatus: String, Codable, Hashable, Sendable {
    /// `create` is under way.
    case creating
    /// Set up; its program has not begun.
    case created
    /// Its program runs.
    case running
    /// Its program runs and is frozen.
    case paused
    /// Its first process has ended.
    case stopped
}
