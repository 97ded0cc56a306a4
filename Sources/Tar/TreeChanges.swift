import Glibc
import SystemPackage

/// One difference between two trees of files.
package struct TreeChange: Hashable, Sendable {
    /// The numbers are those of Docker's API.
    package enum Kind: Int, Hashable, Sendable {
        case modified = 0
        case added = 1
        case deleted = 2
    }

    /// What happened to the file.
    package let kind: Kind
    /// Relative to the root, without a slash at either end.
    package let path: [UInt8]

    /// A difference at a path.
    package init(_ kind: Kind, _ path: [UInt8]) {
        self.kind = kind
        self.path = path
    }
}

/// The differences between a tree and the one it was made from, in the order of their paths: a directory before what is
/// in it.
///
/// A directory that something changed in is among them as modified, whether it differs itself or not, as Docker has it.
package struct TreeChanges: Sendable {
    /// The parent's and the tree's own root.
    private let old: FileDescriptor
    private let new: FileDescriptor
    /// Places that the runtime makes in a container's root to mount its own files on: there they are no change.
    private let mountPoints: Set<[UInt8]>
    /// When the new tree was made of the old one: what has not changed since is the same in both.
    private let madeAt: timespec?
    /// The differences, in the order of their paths.
    package private(set) var all: [TreeChange] = []
    /// Whether there are sockets among the new things, which have no place in a layer.
    package private(set) var hasSockets = false
    /// Whether there are files among the new things that consist of holes to a good deal (`TreeArchiver.SparseFiles`).
    package private(set) var hasLargeHoles = false
    /// Whether they were read off an upper directory, which then has nothing that refers to the lower ones by name.
    package let isOfUpper: Bool
    private var depth = 0

    private static let depthLimit = 2048

    /// Compares two trees completely. Files that look alike are compared byte by byte, unless the time of their last
    /// status change (ctime, which no program can set) says that nothing happened to them: size and time of
    /// modification are what
    /// reproducible builds and package managers set as they like.
    ///
    /// - Parameters:
    ///   - old: the tree before, an open directory; the caller's, like `new`.
    ///   - mountPoints: paths that are no changes where they were added and are empty.
    ///   - madeAt: when `new` was made of `old`, in seconds and nanoseconds since 1970, if that is known.
    package init(
        from old: FileDescriptor, to new: FileDescriptor, mountPoints: Set<[UInt8]> = [],
        madeAt: (seconds: Int64, nanoseconds: Int64)? = nil
    ) throws(ArchiveError) {
        self.old = old
        self.new = new
        self.mountPoints = mountPoints
        isOfUpper = false
        self.madeAt = madeAt.map { timespec(tv_sec: Int($0.seconds), tv_nsec: Int($0.nanoseconds)) }
        _ = try compare(old.rawValue, new.rawValue, [])
    }

    /// Reads the differences off an upper directory of overlayfs, which has nothing else.
    ///
    /// `nil` where it refers to the lower ones by name (`redirect`, `metacopy`); then the trees have to be compared.
    ///
    /// - Parameter old: the lower directories as they are seen together.
    package init?(
        ofUpper upper: FileDescriptor, over old: FileDescriptor, mountPoints: Set<[UInt8]> = []
    ) throws(ArchiveError) {
        self.old = old
        new = upper
        self.mountPoints = mountPoints
        madeAt = nil
        isOfUpper = true
        guard try readUpper(upper.rawValue, old.rawValue, [], isOpaque: false) != nil else { return nil }
    }

    // MARK: Two trees

    /// Returns whether anything was left out because the runtime made it.
    private mutating func compare(_ old: Int32, _ new: Int32, _ path: [UInt8]) throws(ArchiveError) -> Bool {
        try deepen(path)
        defer { depth -= 1 }
        let before = try FileNode.sortedNames(in: old, shownName(path))
        let after = try FileNode.sortedNames(in: new, shownName(path))
        var hasLeftOut = false
        for name in Self.merged(before, after) {
            let full = Self.join(path, name)
            let (was, now) = (try FileNode(name, in: old), try FileNode(name, in: new))
            switch (was, now) {
            case (nil, nil): continue
            case (_?, nil): all.append(TreeChange(.deleted, full))
            case (nil, let now?):
                if try !add(now, full, overlay: false) { hasLeftOut = true }
            case (let was?, let now?):
                guard was.isDirectory, now.isDirectory else {
                    if was.type != now.type {
                        _ = try add(now, full, overlay: false, kind: .modified)
                    } else if try was.differs(from: now) {
                        all.append(TreeChange(.modified, full))
                    } else if try hasOtherContent(was, now) {
                        all.append(TreeChange(.modified, full))
                    }
                    continue
                }
                let (below, above) = (try was.open(), try now.open())
                defer {
                    close(below)
                    close(above)
                }
                let place = all.count
                all.append(TreeChange(.modified, full))
                let leftOut = try compare(below, above, full)
                if all.count == place + 1, try !was.differs(from: now, ignoringTime: leftOut) { all.removeLast() }
            }
        }
        return hasLeftOut
    }

    /// Whether two files of one size, time, owner and mode have different bytes.
    private func hasOtherContent(_ was: FileNode, _ now: FileNode) throws(ArchiveError) -> Bool {
        guard now.isFile, now.status.st_size > 0 else { return false }
        let (before, after) = (was.status.st_ctim, now.status.st_ctim)
        if was.status.st_ino == now.status.st_ino {
            // Not a copy of the file but the file itself, as a snapshot of the file system has it.
            if !before.isEarlier(than: after), !after.isEarlier(than: before) { return false }
        } else if let madeAt, after.isEarlier(than: madeAt) {
            return false
        }
        return try was.contentDiffers(from: now)
    }

    // MARK: An upper directory

    /// Returns whether anything was left out, or `nil` if the directory cannot be read by itself.
    private mutating func readUpper(
        _ upper: Int32, _ old: Int32?, _ path: [UInt8], isOpaque: Bool
    ) throws(ArchiveError) -> Bool? {
        try deepen(path)
        defer { depth -= 1 }
        var names = try FileNode.sortedNames(in: upper, shownName(path))
        // Whatever was in an opaque directory before and is not named now is gone.
        if isOpaque, let old { names = Self.merged(names, try FileNode.sortedNames(in: old, shownName(path))) }
        var hasLeftOut = false
        for name in names {
            let full = Self.join(path, name)
            let was = try old.flatMap { directory throws(ArchiveError) in try FileNode(name, in: directory) }
            guard let now = try FileNode(name, in: upper), !now.isWhiteout else {
                if was != nil { all.append(TreeChange(.deleted, full)) }
                continue
            }
            if try now.overlayAttribute("redirect") != nil { return nil }
            if now.isFile, try now.overlayAttribute("metacopy") != nil { return nil }
            guard now.isDirectory, let was, was.isDirectory else {
                if was == nil {
                    if try !add(now, full, overlay: true) { hasLeftOut = true }
                } else {
                    _ = try add(now, full, overlay: true, kind: .modified)
                }
                continue
            }
            let (below, above) = (try was.open(), try now.open())
            defer {
                close(below)
                close(above)
            }
            let place = all.count
            all.append(TreeChange(.modified, full))
            let isOpaque = try now.overlayAttribute("opaque") == [UInt8(ascii: "y")]
            guard let leftOut = try readUpper(above, below, full, isOpaque: isOpaque) else { return nil }
            if all.count == place + 1, try !was.differs(from: now, ignoringTime: leftOut) { all.removeLast() }
        }
        return hasLeftOut
    }

    /// Notes something new with all in it; false if it is only what the runtime made.
    private mutating func add(
        _ node: FileNode, _ path: [UInt8], overlay: Bool, kind: TreeChange.Kind = .added
    ) throws(ArchiveError) -> Bool {
        try deepen(path)
        defer { depth -= 1 }
        if overlay, node.isWhiteout { return true }
        if node.type == S_IFSOCK { hasSockets = true }
        if node.isFile, Extents.isLargelySparse(node.status) { hasLargeHoles = true }
        let isMountPoint = mountPoints.contains(path)
        guard node.isDirectory else {
            if isMountPoint, kind == .added, node.isFile, node.status.st_size == 0 { return false }
            all.append(TreeChange(kind, path))
            return true
        }
        let place = all.count
        all.append(TreeChange(kind, path))
        let directory = try node.open()
        defer { close(directory) }
        var hasLeftOut = false
        for name in try FileNode.sortedNames(in: directory, shownName(path)) {
            guard let inner = try FileNode(name, in: directory) else { continue }
            if try !add(inner, Self.join(path, name), overlay: overlay) { hasLeftOut = true }
        }
        if kind == .added, isMountPoint || hasLeftOut, all.count == place + 1 {
            all.removeLast()
            return false
        }
        return true
    }

    private mutating func deepen(_ path: [UInt8]) throws(ArchiveError) {
        depth += 1
        guard depth <= Self.depthLimit else { throw .system("compare", shownName(path), .fileNameTooLong) }
    }

    private static func join(_ path: [UInt8], _ name: [UInt8]) -> [UInt8] {
        path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
    }

    private static func merged(_ first: [[UInt8]], _ second: [[UInt8]]) -> [[UInt8]] {
        Set(first).union(second).sorted { $0.lexicographicallyPrecedes($1) }
    }
}

extension FileNode {
    /// Whether two things of the same kind differ in what a layer keeps, the bytes of files aside.
    fileprivate func differs(from other: FileNode, ignoringTime: Bool = false) throws(ArchiveError) -> Bool {
        let (left, right) = (status, other.status)
        if left.st_mode != right.st_mode || left.st_uid != right.st_uid || left.st_gid != right.st_gid { return true }
        if type == S_IFCHR || type == S_IFBLK, left.st_rdev != right.st_rdev { return true }
        if type == S_IFLNK, try target() != other.target() { return true }
        if isFile, left.st_size != right.st_size { return true }
        let isSameTime =
            left.st_mtim.tv_sec == right.st_mtim.tv_sec && left.st_mtim.tv_nsec == right.st_mtim.tv_nsec
        if !ignoringTime, !isSameTime { return true }
        return try attributes() != other.attributes()
    }
}

extension FileNode {
    /// Whether two files of one size have different bytes.
    fileprivate func contentDiffers(from other: FileNode) throws(ArchiveError) -> Bool {
        let (left, right) = (try open(), try other.open())
        defer {
            close(left)
            close(right)
        }
        let capacity = 256 << 10
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * capacity, alignment: 4096)
        defer { buffer.deallocate() }
        let halves = (
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<capacity]),
            UnsafeMutableRawBufferPointer(rebasing: buffer[capacity...])
        )
        var position: Int64 = 0
        while true {
            // Where both have a hole there is nothing to compare.
            let size = Int64(status.st_size)
            let data = min(
                Extents.data(in: left, from: position) ?? size, Extents.data(in: right, from: position) ?? size)
            position = max(position, data)
            let counts = (try read(left, halves.0, position), try other.read(right, halves.1, position))
            if counts.0 != counts.1 { return true }
            if counts.0 == 0 { return false }
            guard let one = halves.0.baseAddress, let two = halves.1.baseAddress else { return false }
            if memcmp(one, two, counts.0) != 0 { return true }
            position += Int64(counts.0)
        }
    }

    /// Fills a buffer as far as the file goes.
    private func read(
        _ file: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ position: Int64
    ) throws(ArchiveError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(
                file, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(position) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", shown, Errno(rawValue: errno)) }
            if count == 0 { break }
            done += count
        }
        return done
    }
}

extension timespec {
    fileprivate func isEarlier(than other: timespec) -> Bool { (tv_sec, tv_nsec) < (other.tv_sec, other.tv_nsec) }
}

extension TreeArchiver {
    /// Adds the layer that makes the new tree of the old one: what was added and modified, and whiteouts for what is
    /// gone.
    ///
    /// - Parameter root: where the added and modified things are, an open directory; the caller's.
    package func add(_ changes: [TreeChange], in root: FileDescriptor) throws(ArchiveError) {
        for change in changes {
            let path = change.path
            guard change.kind != .deleted else {
                try addWhiteout(of: path)
                continue
            }
            let slash = path.lastIndex(of: UInt8(ascii: "/"))
            var directory = root.rawValue
            if let slash {
                directory = RootedPath.openBeneath(root.rawValue, Array(path[..<slash]) + [0])
                if directory < 0 {
                    if errno == ENOENT || errno == ENOTDIR { continue }  // removed since the comparison
                    throw .system("open directory", shownName(path), Errno(rawValue: errno))
                }
            }
            defer { if slash != nil { close(directory) } }
            guard let node = try FileNode(Array(path[(slash.map { $0 + 1 } ?? 0)...]), in: directory) else { continue }
            try add(node, as: path)
        }
    }
}
