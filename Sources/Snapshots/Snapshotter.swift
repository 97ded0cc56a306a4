import Tar
import SystemPackage

/// Keeps file trees that build upon each other: the layers of images, and the writable roots of containers.
///
/// This comment is the specification; every driver passes the same test suite.
///
/// ## States
/// A snapshot has a name, unique in its snapshotter, and is in one of three states:
///
/// - *staged*: a layer being unpacked. Made by `stage`, which says which directory to fill and in which form
///   whiteouts are to be left there. Ended by `commit` or `remove`. A staged snapshot does not survive a restart:
///   nobody could finish it.
/// - *committed*: immutable, and the parent of others. Made by `commit` only.
/// - *active*: writable, the root of one container. Made by `prepare`; `mounts` says how to mount it.
///
/// Images are chains of committed snapshots, each named by its chain id (image-spec, config.md, "Layer ChainID").
/// A container's snapshot has the container's id as its name.
///
/// ## Unpacking an image of the layers A and B
/// ```
/// let layer = try snapshotter.stage("unpack-1", parent: nil)      // fill layer.root
/// try snapshotter.commit("unpack-1", as: chainA, parent: nil, contents: …)
/// let next = try snapshotter.stage("unpack-2", parent: chainA)
/// try snapshotter.commit("unpack-2", as: chainAB, parent: chainA, contents: …)
/// ```
/// With a driver whose `stagesIndependently` is true both may be staged and filled at once, without a parent; only
/// the commits are in order, and name the parent then.
///
/// ## Running a container
/// ```
/// try snapshotter.prepare(containerID, parent: chainAB)
/// let mounts = try snapshotter.mounts(containerID)
/// …
/// try snapshotter.remove(containerID)
/// ```
///
/// ## Rules
/// - A name that exists is refused (`SnapshotError.exists`); one that does not, too (`.notFound`).
/// - A parent must be committed; a snapshot that is a parent cannot be removed (`.inUse`).
/// - A call that throws has changed nothing; what a crash leaves half done is removed when the driver is opened.
/// - `remove` makes the snapshot disappear at once and for good before it begins to delete files.
/// - All calls block and may be made from any thread at the same time.
package protocol Snapshotter: Sendable {
    /// The driver's name in settings, in `docker info` and on disk: `overlay`, `vfs`.
    var driver: String { get }

    /// Whether layers can be staged before their parents are committed.
    var stagesIndependently: Bool { get }

    /// Makes an empty layer to be filled. `parent` must be given, and committed, unless there is none or the driver
    /// `stagesIndependently`.
    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer

    /// Turns a staged snapshot into a committed one with another name. `contents` is what was unpacked into it.
    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError)

    /// Makes a writable snapshot upon a committed one, or upon nothing.
    func prepare(_ name: String, parent: String?) throws(SnapshotError)

    /// How to mount an active snapshot, in order, at the container's root.
    ///
    /// `isDisposable`: nobody needs what is written to it after the machine goes down, which spares the driver the care for that.
    /// It is then to be mounted right away, once.
    func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount]

    /// Removes a snapshot that is nobody's parent.
    func remove(_ name: String) throws(SnapshotError)

    /// What is known of a snapshot, or `nil` if there is none of that name.
    func information(_ name: String) throws(SnapshotError) -> SnapshotInformation?

    /// What the snapshot itself takes, without its parents; measured for an active one, recorded for a committed one.
    func usage(_ name: String) throws(SnapshotError) -> SnapshotUsage

    /// All snapshots of this driver.
    func list() throws(SnapshotError) -> [SnapshotInformation]
}

extension Snapshotter {
    /// How to mount a snapshot that is to be kept.
    package func mounts(_ name: String) throws(SnapshotError) -> [SnapshotMount] {
        try mounts(name, isDisposable: false)
    }
}

/// One mount of a container's root, in the terms of mount(8).
package struct SnapshotMount: Hashable, Sendable, Codable {
    /// The file system (`overlay`), or `bind`.
    package var type: String
    package var source: String
    /// `lowerdir=…`, `rbind`, `ro`, …
    package var options: [String]

    package init(type: String, source: String, options: [String]) {
        self.type = type
        self.source = source
        self.options = options
    }
}

/// A directory to be filled with one layer.
package struct StagedLayer: Hashable, Sendable {
    package let root: FilePath
    package let whiteouts: WhiteoutForm
}

/// What a snapshot takes on disk.
package struct SnapshotUsage: Hashable, Sendable, Codable {
    package var bytes: Int64
    package var inodes: Int64

    package init(bytes: Int64 = 0, inodes: Int64 = 0) {
        self.bytes = bytes
        self.inodes = inodes
    }
}

/// What is known of a snapshot without looking at its files.
package struct SnapshotInformation: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, Codable {
        case staged
        case committed
        case active
    }

    package let name: String
    package let state: State
    package let parent: String?
    /// The snapshot's own directory, `fs` and `work` within it.
    package let directory: FilePath
}

/// Why a snapshot operation failed.
package enum SnapshotError: Error, Hashable, Sendable, CustomStringConvertible {
    case exists(String)
    case notFound(String)
    /// The snapshot is the parent of others.
    case inUse(String)
    /// The operation is not for a snapshot in this state.
    case wrongState(String, SnapshotInformation.State)
    /// A system call failed: what was done, to which path.
    case system(String, FilePath, Errno)
    case database(String)
    /// The contents of a layer could not be completed.
    case contents(ArchiveError)
    case unknownDriver(String)

    package var description: String {
        switch self {
        case .exists(let name): "snapshot \(name) already exists"
        case .notFound(let name): "no such snapshot: \(name)"
        case .inUse(let name): "snapshot \(name) is the parent of others"
        case .wrongState(let name, let state): "snapshot \(name) is \(state.rawValue)"
        case .system(let operation, let path, let errno): "\(operation) \(path): \(errno)"
        case .database(let message): "snapshot database: \(message)"
        case .contents(let error): error.description
        case .unknownDriver(let name): "unknown storage driver \"\(name)\" (there are overlay and vfs)"
        }
    }
}
