import Glibc
import LinuxKernel
import SystemPackage

/// Unpacks a layer into a directory: the hot path of import, load and pull.
///
/// The directory must be out of reach of anyone but this process while a layer is applied (snapshots being staged are),
/// or `Options.isContested` must be set. What may be hostile is the archive. Every path is resolved by the kernel with
/// the directory as its root (openat2(2), `RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS`), once per directory; below that
/// only the last component is used, and never followed. So a symbolic link in an archive, whatever it says, leads
/// nowhere but into the same tree, where it leads to in the container as well.
package struct LayerApplier: ~Copyable {
    /// What was unpacked.
    package struct Result: Hashable, Sendable {
        /// Bytes of all files, holes not counted.
        package var bytes: Int64 = 0
        /// Files, directories and others.
        package var inodes: Int64 = 0
        /// Directories that the archive uses without saying what they are like, without symbolic links in their paths;
        /// `.` is the root. In a layer upon others they should look like those of the layers below; one that cannot, as
        /// the layer itself hides those, is not among them.
        package var impliedDirectories: [FilePath] = []

        /// As for a layer.
        package init() {}
    }

    /// How entries become files, where it is not as in a layer.
    package struct Options: Sendable {
        /// Whom new files belong to.
        package enum Ownership: Hashable, Sendable {
            /// Whom the archive says.
            case archive
            /// This process.
            case process
            case fixed(owner: UInt32, group: UInt32)
        }

        /// A directory below the root that everything is put into, without slashes at the ends. Unlike the root itself
        /// it confines no symbolic links that are there already: those lead wherever they do for a process in the root.
        package var prefix: [UInt8] = []
        /// Whom new files belong to.
        package var ownership = Ownership.archive
        /// Whether a directory may be replaced by something else, and something else by a directory.
        package var replacesDirectories = true
        /// Changes each entry before it is unpacked, for instance its name.
        package var transform: (@Sendable (inout TarEntry) -> Void)?
        /// Somebody else may change the tree meanwhile: every call is then one that cannot be led astray.
        package var isContested = false

        /// As for a layer.
        package init() {}
    }

    let root: Int32
    let whiteouts: WhiteoutForm
    let options: Options
    let directories: DirectoryCache
    var result = Result()
    /// Directories that were made because something in them came first, and those that came themselves, perhaps later.
    var implied: [EntryPath] = []
    var impliedAndNamed: Set<EntryPath> = []
    /// Directories that take the place of something that the layer itself hides, and have nothing of that.
    var anew: Set<EntryPath> = []
    /// Whether the archive says what the root is like.
    var isRootNamed = false
    /// Whether anything was hidden.
    var hasWhiteouts = false
    /// Whether any directory was marked as opaque.
    var hasOpaque = false
    /// Whether there are files of aufs that are only to be linked to.
    private var hasLinkedFiles = false
    /// How many links that lead to nothing have been followed for the present entry.
    private var linkDepth = 0
    /// As many as the kernel follows (path_resolution(7)).
    static let linkLimit = 40
    /// Directories get their times when nothing more is put into them.
    private var directoryTimes: [(path: EntryPath, seconds: Int64, nanoseconds: Int64)] = []
    /// Where in `directoryTimes` each is: an archive may have the same directory over and over.
    private var directoryPlaces: [EntryPath: Int] = [:]
    /// What this layer has made, to tell it from what was there before; kept only where whiteouts are carried out.
    var made: Set<ArraySlice<UInt8>> = []
    /// The inodes of its symbolic links, for the same purpose: one may be met by another path than it was made by.
    var madeLinks: Set<ino_t> = []
    /// Permission bits that the kernel takes from new files.
    let mask: UInt32
    let isPrivileged = geteuid() == 0
    /// Owner of new files where nothing else is asked for.
    let owner = geteuid()
    let group = getegid()
    /// Whether files have what the archive says and nothing else, whatever was there or lies around them.
    var isLayer: Bool { whiteouts != .literal }

    /// Prepares to unpack into `directory`, which must exist.
    package init(
        into directory: FilePath, whiteouts: WhiteoutForm, options: Options = Options()
    ) throws(ArchiveError) {
        root = directory.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard root >= 0 else { throw .system("open", directory.string, Errno(rawValue: errno)) }
        self.whiteouts = whiteouts
        self.options = options
        directories = DirectoryCache(root: root, remembersTimes: whiteouts == .remove)
        mask = Self.currentMask()
    }

    deinit {
        directories.forget()
        close(root)
    }

    /// Unpacks all entries. After an error the directory is left as it then was; the caller removes it.
    ///
    /// `isCancelled` is asked now and then.
    package mutating func apply(
        _ archive: TarReader, isCancelled: () -> Bool = { false }
    ) throws(ArchiveError) -> Result {
        var count = 0
        while let entry = try archive.next() {
            count += 1
            if count.isMultiple(of: 64), isCancelled() { throw .cancelled }
            try apply(entry, archive, isCancelled: isCancelled)
        }
        try removeLinkedFiles()
        // Directories that the archive does not name look as before, whatever was put into them.
        try directories.restoreTimes(except: made)
        try setDirectoryTimes()
        result.impliedDirectories = try impliedDirectories(isCancelled: isCancelled)
        return result
    }

    private mutating func apply(
        _ found: TarEntry, _ archive: TarReader, isCancelled: () -> Bool
    ) throws(ArchiveError) {
        var entry = found
        options.transform?(&entry)
        switch options.ownership {
        case .archive: break
        case .process: (entry.owner, entry.group) = (owner, group)
        case .fixed(let owner, let group): (entry.owner, entry.group) = (owner, group)
        }
        guard let named = EntryPath(entry.name), let path = prefixed(named) else {
            throw .escapes(entry: entry.displayName, "leads out of the root directory")
        }
        guard !named.isRoot else {
            guard entry.kind == .directory else { throw .malformed("the root is not a directory") }
            // The directory that something is copied into stays as it is.
            guard options.prefix.isEmpty, options.replacesDirectories else { return }
            try setAttributesOfRoot(entry)
            isRootNamed = true
            return
        }
        if whiteouts != .literal {
            if path.name.starts(with: Whiteout.prefix) {
                try applyWhiteout(path)
                return
            }
            if Whiteout.isMetadata(path) {
                guard entry.kind == .file, Whiteout.isLinkedFile(path) else { return }
                hasLinkedFiles = true
            }
            // Overlayfs' own form of a whiteout. Docker and containerd make such a node, so that it hides a name with
            // overlayfs and is a strange file everywhere else; here it means the same with every driver. (To refuse it
            // would be to refuse images that hold the files of a container engine, and it hides no more than `.wh.`
            // does.)
            if entry.kind == .characterDevice(major: 0, minor: 0) {
                try hide(path)
                return
            }
        }
        let parent = try parentDirectory(of: path)
        if !options.replacesDirectories { try refuseReplacing(path, in: parent, with: entry) }
        if whiteouts == .remove { made.insert(path.text) }
        switch entry.kind {
        case .file: try makeFile(entry, archive, path, in: parent, isCancelled: isCancelled)
        case .directory: try makeDirectory(entry, path, in: parent)
        case .symbolicLink: try makeSymbolicLink(entry, path, in: parent)
        case .hardLink: try makeHardLink(entry, path, in: parent)
        case .fifo: try makeNode(entry, path, in: parent, type: S_IFIFO, device: 0)
        case .characterDevice(let major, let minor):
            try makeNode(entry, path, in: parent, type: S_IFCHR, device: Self.device(major, minor))
        case .blockDevice(let major, let minor):
            try makeNode(entry, path, in: parent, type: S_IFBLK, device: Self.device(major, minor))
        }
    }

    /// Takes away what aufs kept files with several names in. Those names stay.
    private mutating func removeLinkedFiles() throws(ArchiveError) {
        guard hasLinkedFiles, let path = EntryPath(Whiteout.linkedFiles) else { return }
        if let place = try directories.directory(at: path.text) {
            for name in try FileNode.sortedNames(in: place.descriptor, path.shown) {
                guard let node = try FileNode(name, in: place.descriptor) else { continue }
                // Nobody linked to it: it is not in the layer.
                if node.status.st_nlink == 1 {
                    result.bytes -= Int64(node.status.st_size)
                    result.inodes -= 1
                }
            }
            result.inodes -= 1
        }
        // Holes of such files were not counted when they were written.
        result.bytes = max(0, result.bytes)
        implied.removeAll { $0 == path }
        try remove(path, in: root)
    }

    /// The path below the root of what has a path below the prefix.
    func prefixed(_ path: EntryPath) -> EntryPath? {
        guard !options.prefix.isEmpty else { return path }
        return EntryPath(options.prefix + [UInt8(ascii: "/")] + path.text)
    }

    private func refuseReplacing(
        _ path: EntryPath, in parent: DirectoryCache.Directory, with entry: TarEntry
    ) throws(ArchiveError) {
        guard let kind = try kind(of: path, in: parent) else { return }
        let destination = "/" + String(decoding: options.prefix, as: UTF8.self)
        // Docker's words, which its clients show as they are.
        if kind == S_IFDIR, entry.kind != .directory {
            throw .refused("cannot overwrite directory \"/\(path.shown)\" with non-directory \"\(destination)\"")
        }
        if kind != S_IFDIR, entry.kind == .directory {
            throw .refused("cannot overwrite non-directory \"/\(path.shown)\" with directory \"\(destination)\"")
        }
    }

    /// For fchmodat(2) of what was just made: nothing else can be in its place, unless somebody else works here, too.
    var modeFlags: Int32 { options.isContested ? AT_SYMLINK_NOFOLLOW : 0 }

    /// The directory an entry goes into, made if the archive does not have it.
    mutating func parentDirectory(of path: EntryPath) throws(ArchiveError) -> DirectoryCache.Directory {
        if let directory = try existingDirectory(at: path.parent) { return directory }
        // One component after the other; symbolic links on the way are followed inside the root.
        var end = 0
        while end < path.parent.count {
            var next = end
            while next < path.parent.count, path.parent[next] != UInt8(ascii: "/") { next += 1 }
            let part = path.parent[..<next]
            if try existingDirectory(at: part) == nil {
                guard let made = EntryPath(Array(part)),
                    let above = try directories.directory(at: made.parent)
                else { throw .system("open directory", path.shown, .noSuchFileOrDirectory) }
                try makeImpliedDirectory(made, in: above, for: path)
            }
            end = next + 1
        }
        guard let directory = try directories.directory(at: path.parent) else {
            throw .system("open directory", path.shown, .noSuchFileOrDirectory)
        }
        return directory
    }

    /// A directory that is there; `nil` also where the layer itself has hidden what was there.
    private mutating func existingDirectory(
        at path: ArraySlice<UInt8>
    ) throws(ArchiveError) -> DirectoryCache.Directory? {
        if whiteouts == .remove, !directories.isOpen(path) { try replaceLowerLinks(on: path) }
        do throws(ArchiveError) {
            return try directories.directory(at: path)
        } catch {
            // Whatever else is in the place is seen when the directory is to be made.
            guard isLayer, whiteouts != .remove, case .system(_, _, .notDirectory) = error else { throw error }
            return nil
        }
    }

    /// Makes a directory because there is something in it, `entry`.
    mutating func makeImpliedDirectory(
        _ path: EntryPath, in parent: DirectoryCache.Directory, for entry: EntryPath
    ) throws(ArchiveError) {
        if path.withName({ mkdirat(parent.descriptor, $0, 0o755) }) == 0 {
            result.inodes += 1
        } else {
            guard errno == EEXIST else { throw .system("create directory", path.shown, Errno(rawValue: errno)) }
            if try kind(of: path, in: parent) == S_IFLNK { return try followLink(path, for: entry) }
            guard whiteouts != .remove, isLayer, try isWhiteout(path, in: parent) else {
                throw .system("open directory", path.shown, .notDirectory)
            }
            // The layer hides what is below, and has a directory of its own there.
            try Self.check("remove", path) { unlinkat(parent.descriptor, $0, 0) }
            try Self.check("create directory", path) { mkdirat(parent.descriptor, $0, 0o755) }
            try makeOpaque(path, in: parent)
            anew.insert(path)
        }
        if isLayer, parent.setsGroup || parent.hasDefaultACL || mask & 0o755 != 0 {
            try makePlain(path, in: parent)
        }
        implied.append(path)
        impliedAndNamed.remove(path)
        if whiteouts == .remove { made.insert(path.text) }
    }

    /// Makes the directory that a link in a directory's place leads to. In a layer that is unpacked by itself nobody
    /// knows whether the layers below have that directory; so it is made with every driver, as containerd does it.
    private mutating func followLink(_ path: EntryPath, for entry: EntryPath) throws(ArchiveError) {
        guard isLayer else {
            throw .escapes(
                entry: entry.shown, "is below \"\(path.shown)\", a symbolic link to a path that does not exist")
        }
        guard linkDepth < Self.linkLimit else {
            throw .system("open directory", path.shown, .tooManySymbolicLinkLevels)
        }
        guard let parent = try directories.directory(at: path.parent),
            let node = try FileNode(Array(path.name), in: parent.descriptor),
            let around = try EntryPath(Array(path.parent)).flatMap({ (path) throws(ArchiveError) in
                path.isRoot ? path : try realPath(of: path)
            })
        else { throw .system("open directory", path.shown, .noSuchFileOrDirectory) }
        let target = try node.target()
        let base = target.first == UInt8(ascii: "/") ? [] : Array(around.text) + [UInt8(ascii: "/")]
        // A link on the way is met as the path is made.
        guard let within = EntryPath(base + target + Array("/any".utf8), staysInside: true) else {
            throw .system("open directory", path.shown, .noSuchFileOrDirectory)
        }
        linkDepth += 1
        defer { linkDepth -= 1 }
        _ = try parentDirectory(of: within)
        directories.forget()
    }

    /// Remembers the times of a directory for the end.
    mutating func note(_ seconds: Int64, _ nanoseconds: Int64, of path: EntryPath) {
        if let place = directoryPlaces[path] {
            directoryTimes[place] = (path, seconds, nanoseconds)
        } else {
            directoryPlaces[path] = directoryTimes.count
            directoryTimes.append((path, seconds, nanoseconds))
        }
    }

    private mutating func setDirectoryTimes() throws(ArchiveError) {
        for (path, seconds, nanoseconds) in directoryTimes {
            let status: Int32
            if path.isRoot {
                status = Self.setTimes(root, nil, seconds, nanoseconds)
            } else {
                // A directory may have been replaced by something else since, or its parent.
                guard let parent = try directories.directory(at: path.parent) else { continue }
                status = Self.setTimes(parent.descriptor, path, seconds, nanoseconds)
            }
            if status != 0, errno != ENOENT { throw .system("set times", path.shown, Errno(rawValue: errno)) }
        }
    }

    /// Sets access and modification time: of `path`'s last component in `directory`, or of the descriptor itself.
    static func setTimes(_ directory: Int32, _ path: EntryPath?, _ seconds: Int64, _ nanoseconds: Int64) -> Int32 {
        var time = timespec()
        time.tv_sec = Int(seconds)
        time.tv_nsec = Int(nanoseconds)
        return withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { times in
            times.initialize(repeating: time)
            guard let path else { return futimens(directory, times.baseAddress) }
            return path.withName { utimensat(directory, $0, times.baseAddress, AT_SYMLINK_NOFOLLOW) }
        }
    }

    /// Runs a call that takes the last component of `path`.
    static func check(
        _ operation: String, _ path: EntryPath, _ body: (UnsafePointer<CChar>) -> Int32
    ) throws(ArchiveError) {
        guard path.withName(body) == 0 else { throw .system(operation, path.shown, Errno(rawValue: errno)) }
    }

    private static func device(_ major: UInt32, _ minor: UInt32) -> dev_t {
        // The layout of glibc's makedev(3), which is a macro.
        let high: UInt64 = (UInt64(major) & 0xffff_f000) << 32 | (UInt64(minor) & 0xffff_ff00) << 12
        let low: UInt64 = (UInt64(major) & 0xfff) << 8 | UInt64(minor) & 0xff
        return dev_t(high | low)
    }

    /// The process's umask, read without changing it (which umask(2) cannot do without a race).
    private static func currentMask() -> UInt32 {
        // If /proc cannot say, every mode is set explicitly: slower, never wrong.
        guard let status = try? ProcessStatusFile.umask() else { return 0o7777 }
        return status
    }
}

extension EntryPath {
    /// The last component as a C string.
    func withName<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        bytes.withUnsafeBytes { raw in
            // The array is never empty: it ends with a NUL.
            let pointer = raw.bindMemory(to: CChar.self)
            return body(pointer.baseAddress.unsafelyUnwrapped + nameStart)
        }
    }
}
