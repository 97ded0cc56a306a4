import Tar
import SystemPackage

/// Keeps file trees that build upon each other: the layers of images, and the writable roots of containers.
///
/// This comment is the specification; every driver passes the same test suite.
///
/// ## States
/// A snapshot has a name, unique in its snapshotter, and is in one of three states:
///
/// - *staged*: a layer being unpacked. Made by `stage`, which says which directory to fill and in which form whiteouts
///   are to be left there; `finish` says that it is filled. Ended by `commit` or `remove`. A staged snapshot does not
///   survive a restart: nobody could finish it.
/// - *committed*: immutable, and the parent of others. Made by `commit` and `capture`.
/// - *active*: writable, the root of one container. Made by `prepare`; `mounts` says how to mount it. Ended by
///   `remove`, or by `commit`, which makes a layer of it where it stands.
///
/// Images are chains of committed snapshots, each named by its chain id (image-spec, config.md, "Layer ChainID").
/// A container's snapshot has the container's id as its name.
///
/// ## Unpacking an image of the layers A and B
/// ```
/// let layer = try snapshotter.stage("unpack-1", parent: nil)      // fill layer.root
/// try snapshotter.finish("unpack-1", contents: …)
/// try snapshotter.commit("unpack-1", as: chainA, parent: nil, contents: …)
/// let next = try snapshotter.stage("unpack-2", parent: chainA)
/// try snapshotter.finish("unpack-2", contents: …)
/// try snapshotter.commit("unpack-2", as: chainAB, parent: chainA, contents: …)
/// ```
/// With a driver whose `stagesIndependently` is true both may be staged, filled and finished at once, without a parent;
/// only the commits are in order, and name the parent then. What takes long is done by `finish`; `commit` is quick.
///
/// ## Running a container
/// ```
/// try snapshotter.prepare(containerID, parent: chainAB)
/// let mounts = try snapshotter.mounts(containerID)
/// …
/// try snapshotter.remove(containerID)
/// ```
/// The program that runs the container makes the mounts, in the container's own mount namespace. The host's never has
/// one.
///
/// A limit on what a container writes is for `prepare` to know:
/// `prepare(containerID, parent: chainAB, limit: 1 << 30)`. Of drivers with whole trees the files of the image count,
/// too. `refusal` says beforehand whether it can be had.
///
/// ## Making a layer of what a container wrote
/// A container that is needed no more (a step of a build) becomes a layer itself. Nothing is copied:
/// ```
/// try snapshotter.finish(containerID, contents: …)
/// try snapshotter.commit(containerID, as: chainABC, parent: chainAB, contents: …)
/// ```
/// One that stays gives its files away and goes on upon them. Where that would be a copy the driver says so, and the
/// caller unpacks an archive of the changes like any other layer:
/// ```
/// switch try snapshotter.capture(containerID, as: "commit-1", changes) {
/// case .captured: …                     // read `view("commit-1")` for the digest, at leisure
///     try snapshotter.rename("commit-1", to: chainABC)
/// case .needsCopy(let reason): …
/// }
/// ```
/// A container that was captured has the captured snapshot as its parent, and as its `origin` still the one it was
/// prepared upon: its changes and its usage count from there.
///
/// ## Keeping
/// What no image and no container needs is removed when the daemon starts, and when an image goes. `retain` keeps a
/// committed snapshot, and with it all below, for somebody else (a build's cache), also over restarts, until the same
/// holder says `release`:
/// ```
/// try snapshotter.retain(chainABC, for: "build/sha256:…")
/// …
/// for name in try snapshotter.retained(for: "build/sha256:…") { try snapshotter.release(name, for: "build/sha256:…") }
/// ```
/// Holders' names begin with the module that uses them and a slash. A snapshot may have any number of holders.
///
/// ## Looking at files `view` opens a committed or active snapshot for reading in this process, mounted elsewhere or
/// not: a list of directories, the topmost first, which together are the tree. One directory is the tree itself. Of
/// several each has only what differs from those below it, in overlayfs' form: a device 0/0 hides a name, the attribute
/// `trusted.overlay.opaque` (in a user namespace `user.overlay.opaque`) all that lies below a directory.
///
/// ## Sizes `usage` is what a snapshot itself adds to its parent: files, links and directories that are new or differ,
/// not what the driver happens to need for them. A file of four bytes takes four bytes with every driver.
///
/// ## Rules
/// - A name that exists is refused (`SnapshotError.exists`); one that does not, too (`.notFound`).
/// - A parent must be committed; a snapshot that is a parent cannot be removed (`.inUse`), nor one that is retained
///   (`.retained`).
/// - A call that throws has changed nothing; what a crash leaves half done is removed when the driver is opened.
/// - Directories with files that the database cannot have made are another database's, which may have been lost:
///   opening moves them to `SetAside.folder`, or throws where they cannot be moved, and deletes none.
/// - `remove` makes the snapshot disappear at once and for good before it begins to delete files. The container must
///   have ended.
/// - Committed snapshots stay as they are whatever becomes of those upon them, and survive a restart of the daemon and
///   of the machine.
/// - Files keep owner, mode, times to the nanosecond, extended attributes, hard links, holes and device numbers, in
///   layers and in the snapshots upon them.
/// - A directory that a layer uses without naming it, the root among them, has the owner, mode, time and attributes
///   that it has below, unless it was hidden in between; a container's root has those of its image's.
/// - A driver that this machine cannot have refuses to be opened (`.unavailable`) and says what is missing and what to
///   do about it.
/// - All calls block and may be made from any thread at the same time.
package protocol Snapshotter: Sendable {
    /// The driver's name in settings, in `docker info` and on disk: `overlay`, `btrfs`, `erofs`, `vfs`.
    var driver: String { get }

    /// What `docker info` tells about the driver, in Docker's words: titles and values.
    var status: [(title: String, value: String)] { get }

    /// Whether layers can be staged before their parents are committed.
    var stagesIndependently: Bool { get }

    /// Whether `capture` can do without a copy. Where it cannot, nobody has to find out first what has changed.
    var captures: Bool { get }

    /// Makes an empty layer to be filled. `parent` must be given, and committed, unless there is none or the driver
    /// `stagesIndependently`.
    func stage(_ name: String, parent: String?) throws(SnapshotError) -> StagedLayer

    /// Brings a layer that has been filled into the form in which it is kept. May take as long as the layer is large.
    /// Called once; nobody may have anything in the directory open, nor use it afterwards.
    func finish(_ staged: String, contents: LayerApplier.Result) throws(SnapshotError)

    /// Turns a staged and finished snapshot into a committed one with another name. `contents` is what was unpacked
    /// into it.
    ///
    /// So it does with an active one that nobody has mounted and that nobody needs as such any more; then `parent` is
    /// the one it has, and of `contents` nothing is taken but what an empty layer has as well.
    func commit(
        _ staged: String, as name: String, parent: String?, contents: LayerApplier.Result
    ) throws(SnapshotError)

    /// Makes a writable snapshot upon a committed one, or upon nothing. It takes at most `limit` bytes, if there is a
    /// limit, which `refusal` must not refuse.
    func prepare(_ name: String, parent: String?, limit: Int64?) throws(SnapshotError)

    /// Why a snapshot cannot have a limit of so many bytes, in Docker's words; `nil` if it can.
    func refusal(ofLimit bytes: Int64) -> String?

    /// How to mount an active snapshot, in order, at the container's root.
    ///
    /// `isDisposable`: nobody needs what is written to it after the machine goes down, which spares the driver the care
    /// for that. It is then to be mounted right away, once.
    func mounts(_ name: String, isDisposable: Bool) throws(SnapshotError) -> [SnapshotMount]

    /// Makes a committed snapshot of what an active one has changed since it was prepared, without copying what files
    /// contain. The active one goes on upon it and looks as before. Nobody may have it mounted.
    ///
    /// - Parameter changes: what differs from its origin; nothing else is captured.
    func capture(
        _ active: String, as name: String, _ changes: TreeChanges
    ) throws(SnapshotError) -> SnapshotCapture

    /// Gives a committed snapshot another name.
    func rename(_ committed: String, to name: String) throws(SnapshotError)

    /// Keeps a committed snapshot until `release`, for a holder; once more for the same one changes nothing.
    func retain(_ name: String, for holder: String) throws(SnapshotError)

    /// Ends what `retain` began. One that is not retained for this holder is no error.
    func release(_ name: String, for holder: String) throws(SnapshotError)

    /// The names of the snapshots that are retained for a holder, in no order.
    func retained(for holder: String) throws(SnapshotError) -> [String]

    /// Opens a committed or active snapshot for reading.
    func view(_ name: String) throws(SnapshotError) -> SnapshotView

    /// The first half of `remove`, which takes no time: the snapshot is gone for good, and its name can be used again.
    /// What it takes on the disk is deleted by `dispose`, or when the driver is opened the next time.
    func detach(_ name: String) throws(SnapshotError) -> DetachedSnapshot

    /// The second half, which takes as long as there are files.
    func dispose(of snapshot: DetachedSnapshot) throws(SnapshotError)

    /// Removes a snapshot that is nobody's parent.
    func remove(_ name: String) throws(SnapshotError)

    /// What is known of a snapshot, or `nil` if there is none of that name.
    func information(_ name: String) throws(SnapshotError) -> SnapshotInformation?

    /// What the snapshot itself takes, without its parents; measured for an active one, recorded for a committed one.
    func usage(_ name: String) throws(SnapshotError) -> SnapshotUsage

    /// What `docker inspect` shows of a snapshot as the driver's own (`GraphDriver.Data`), by Docker's names.
    func details(_ name: String) throws(SnapshotError) -> [String: String]

    /// All snapshots of this driver.
    func list() throws(SnapshotError) -> [SnapshotInformation]

    /// Lets go of what the driver holds in the kernel, as far as no container uses it. The snapshotter is not used
    /// afterwards.
    func close()
}

extension Snapshotter {
    /// For drivers that keep a layer as it was filled.
    package func finish(_ staged: String, contents: LayerApplier.Result) throws(SnapshotError) {}

    /// Makes a writable snapshot without a limit.
    package func prepare(_ name: String, parent: String?) throws(SnapshotError) {
        try prepare(name, parent: parent, limit: nil)
    }

    /// For drivers that have nothing to show.
    package func details(_ name: String) throws(SnapshotError) -> [String: String] { [:] }

    /// For drivers that hold nothing.
    package func close() {}

    /// How to mount a snapshot that is to be kept.
    package func mounts(_ name: String) throws(SnapshotError) -> [SnapshotMount] {
        try mounts(name, isDisposable: false)
    }
}

/// One mount of a container's root, in the terms of mount(8).
package struct SnapshotMount: Hashable, Sendable, Codable {
    /// The file system (`overlay`), or `bind`.
    package var type: String
    /// A directory, a device, or for `erofs` the file that has the file system.
    package var source: String
    /// `lowerdir=…` (with all layers, however many), `rbind`, `ro`, …
    package var options: [String]
    /// Where to mount it, seen in the container's mount namespace only, so that later ones can refer to it; `nil` is
    /// the container's root.
    package var target: String?

    /// A mount; without a target it is the container's root.
    package init(type: String, source: String, options: [String], target: String? = nil) {
        self.type = type
        self.source = source
        self.options = options
        self.target = target
    }
}

/// What became of an attempt to make a layer without a copy.
package enum SnapshotCapture: Hashable, Sendable {
    /// It is there.
    case captured
    /// It would be a copy, in which case nothing has happened: why.
    case needsCopy(String)
}

/// What a snapshot that is gone has left on the disk; see `Snapshotter.detach`.
package struct DetachedSnapshot: Hashable, Sendable {
    /// The id its row had, by which its directory is named.
    let id: Int64
    /// The project that limits its files, if one does.
    var project: UInt32?
}

/// A directory to be filled with one layer.
package struct StagedLayer: Hashable, Sendable {
    /// The directory.
    package let root: FilePath
    /// How the driver wants deletions written into it.
    package let whiteouts: WhiteoutForm
}

/// What a snapshot takes on disk.
package struct SnapshotUsage: Hashable, Sendable, Codable {
    /// Blocks in use, in bytes.
    package var bytes: Int64
    /// Files and directories.
    package var inodes: Int64

    /// So many bytes and inodes.
    package init(bytes: Int64 = 0, inodes: Int64 = 0) {
        self.bytes = bytes
        self.inodes = inodes
    }
}

/// What is known of a snapshot without looking at its files.
package struct SnapshotInformation: Hashable, Sendable {
    /// The states of the protocol's comment.
    package enum State: String, Hashable, Sendable, Codable {
        case staged
        case committed
        case active
    }

    /// The key.
    package let name: String
    /// Its present state.
    package let state: State
    /// The committed snapshot below; `nil` for the lowest.
    package let parent: String?
    /// What an active snapshot was prepared upon, which is its parent until it is captured.
    package let origin: String?
    /// Whether somebody retains it.
    package let isRetained: Bool
    /// The snapshot's own directory, `fs` and `work` within it. Of an active snapshot that is a whole tree its time of
    /// modification is when all files of the parent were there: files with an older ctime have not changed since.
    package let directory: FilePath
}
