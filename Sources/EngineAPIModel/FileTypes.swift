/// What `HEAD` and `GET /containers/{name}/archive` say of a path, base64-encoded in a header.
package struct ContainerPathStat: WireObject {
    /// The last component.
    @Always package var name: String = ""
    /// Bytes.
    @Always package var size: Int64 = 0
    /// Type and permissions in the bits of Go's `os.FileMode`.
    @Always package var mode: Int64 = 0
    /// RFC 3339.
    @Always package var mtime: String = ""
    /// Where a symbolic link leads in the end.
    @Always package var linkTarget: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name
        case size
        case mode
        case mtime
        case linkTarget
    }
}

/// A path that a container changed: `GET /containers/{name}/changes`.
package struct FilesystemChange: WireObject {
    /// Absolute.
    @Always package var path: String = ""
    /// 0 modified, 1 added, 2 deleted.
    @Always package var kind: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case path = "Path"
        case kind = "Kind"
    }
}

/// What `POST /containers/prune` did.
package struct ContainersPruneReport: WireObject {
    /// Ids.
    @Always package var containersDeleted: [String]? = nil
    /// Bytes.
    @Always package var spaceReclaimed: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case containersDeleted = "ContainersDeleted"
        case spaceReclaimed = "SpaceReclaimed"
    }
}

/// What `POST /images/prune` did.
package struct ImagesPruneReport: WireObject {
    /// In the order in which it was done.
    @Always package var imagesDeleted: [ImageDeletion]? = nil
    /// Bytes.
    @Always package var spaceReclaimed: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case imagesDeleted = "ImagesDeleted"
        case spaceReclaimed = "SpaceReclaimed"
    }
}

/// A line of `POST /masu/check`: a problem, or at the end a summary.
package struct CheckLine: WireObject {
    /// The problem; empty in the last line.
    @OmittedIfEmpty package var problem: String = ""
    /// How many objects were checked; only in the last line.
    @OmittedIfEmpty package var summary: CheckSummary? = nil
    /// Why the check itself could not go on.
    @OmittedIfEmpty package var error: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case problem
        case summary
        case error
    }
}

/// How many objects a check of the store has read.
package struct CheckSummary: WireObject {
    /// How many images there are.
    @Always package var images: Int = 0
    /// How many blobs there are.
    @Always package var blobs: Int = 0
    /// Bytes of the blobs.
    @Always package var bytes: Int64 = 0
    @Always package var snapshots: Int = 0
    @Always package var containers: Int = 0
    @Always package var problems: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case images
        case blobs
        case bytes
        case snapshots
        case containers
        case problems
    }
}
