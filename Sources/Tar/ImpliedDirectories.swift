import CLinux
import Glibc
import SystemPackage

/// Directories a layer uses without saying what they are like: in the merged tree they look as they do in the layers
/// below, where they are looked for here, the nearest layer first.
///
/// One that is in none of the layers stays as it is, and so does one that a layer hides before another has it: by a
/// whiteout, by something else in its place, or by an opaque directory around it.
package struct ImpliedDirectories {
    /// What a directory is like.
    package struct Model {
        /// The user id.
        package let owner: UInt32
        /// The group id.
        package let group: UInt32
        /// The permission bits with set-uid, set-gid and sticky.
        package let mode: UInt32
        /// Since 1970.
        package let modified: (seconds: Int64, nanoseconds: Int64)
        /// Without overlayfs' own and those that belong to the machine.
        package let attributes: [TarEntry.ExtendedAttribute]
    }

    /// Relative to the root, without a NUL; empty for the root.
    private var open: [ArraySlice<UInt8>]

    /// - Parameter paths: Relative to the root, without symbolic links in them; `.` is the root.
    package init(_ paths: [FilePath]) {
        open = paths.map { path in
            path == "."
                ? [] : path.withPlatformString { text in (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) } }[...]
        }
    }

    /// Whether nothing is left to look for.
    package var isEmpty: Bool { open.isEmpty }

    /// Looks in the next layer below, and hands over what is found there.
    package mutating func look(
        in layer: FilePath, _ found: (FilePath, Model) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        let root = try Self.openRoot(layer)
        defer { close(root) }
        var lower = LowerLayer(root: root)
        var rest: [ArraySlice<UInt8>] = []
        for path in open {
            switch try lower.place(of: path) {
            case .absent: rest.append(path)
            case .hidden: break
            case .directory: try found(Self.filePath(path), try Self.model(path, in: root))
            }
        }
        open = rest
    }

    /// Gives directories in `layer` the owner, mode, times and attributes of those that they will stand before in the
    /// layers `below` (nearest first).
    package static func complete(
        _ paths: [FilePath], in layer: FilePath, below: [FilePath]
    ) throws(ArchiveError) {
        let root = try openRoot(layer)
        defer { close(root) }
        var implied = ImpliedDirectories(paths)
        for lower in below where !implied.isEmpty {
            try implied.look(in: lower) { (path, model) throws(ArchiveError) in try set(model, path, in: root) }
        }
    }

    private static func openRoot(_ path: FilePath) throws(ArchiveError) -> Int32 {
        let root = path.withPlatformString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard root >= 0 else { throw .system("open", path.string, Errno(rawValue: errno)) }
        return root
    }

    private static func open(_ path: ArraySlice<UInt8>, in root: Int32) throws(ArchiveError) -> Int32 {
        let directory = RootedPath.openBeneath(root, path.isEmpty ? [UInt8(ascii: "."), 0] : Array(path) + [0])
        guard directory >= 0 else { throw .system("open directory", shownName(path), Errno(rawValue: errno)) }
        return directory
    }

    private static func filePath(_ path: ArraySlice<UInt8>) -> FilePath {
        EntryPath(Array(path))?.filePath ?? "."
    }

    private static func model(_ path: ArraySlice<UInt8>, in root: Int32) throws(ArchiveError) -> Model {
        let directory = try open(path, in: root)
        defer { close(directory) }
        guard let node = try FileNode([UInt8(ascii: ".")], in: directory) else {
            throw .system("stat", shownName(path), .noSuchFileOrDirectory)
        }
        return Model(
            owner: node.status.st_uid, group: node.status.st_gid, mode: node.status.st_mode & 0o7777,
            modified: (Int64(node.status.st_mtim.tv_sec), Int64(node.status.st_mtim.tv_nsec)),
            attributes: try node.attributes())
    }

    private static func set(_ model: Model, _ path: FilePath, in root: Int32) throws(ArchiveError) {
        let name = path.withPlatformString { text in (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) } }
        let directory = try open(name[...], in: root)
        defer { close(directory) }
        // In this order: a new owner takes away bits of the mode, and an access list sets others.
        guard fchown(directory, model.owner, model.group) == 0, fchmod(directory, model.mode) == 0 else {
            throw .system("set attributes of", shownName(name), Errno(rawValue: errno))
        }
        for attribute in model.attributes {
            let status = (attribute.name + [0]).withUnsafeBytes { name in
                attribute.value.withUnsafeBytes {
                    fsetxattr(
                        directory, name.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, $0.baseAddress,
                        $0.count, 0)
                }
            }
            // As where a layer is unpacked: what the file system does not keep is no reason to refuse the image.
            guard status == 0 || errno == ENOTSUP || errno == EPERM else {
                throw .system(
                    "set attribute \(shownName(attribute.name)) of", shownName(name), Errno(rawValue: errno))
            }
        }
        guard LayerApplier.setTimes(directory, nil, model.modified.seconds, model.modified.nanoseconds) == 0 else {
            throw .system("set times of", shownName(name), Errno(rawValue: errno))
        }
    }
}

/// Which directories a layer in overlayfs' form has.
private struct LowerLayer {
    enum Place {
        /// It is there; `hidesBelow`: it or one around it is opaque.
        case directory(hidesBelow: Bool)
        /// Not in this layer, perhaps in one below.
        case absent
        /// Whatever the layers below have there does not show.
        case hidden
    }

    /// The layer's root; the caller's.
    let root: Int32
    private var known: [ArraySlice<UInt8>: Place] = [:]

    init(root: Int32) { self.root = root }

    mutating func place(of path: ArraySlice<UInt8>) throws(ArchiveError) -> Place {
        if let place = known[path] { return place }
        let place = try find(path)
        known[path] = place
        return place
    }

    private mutating func find(_ path: ArraySlice<UInt8>) throws(ArchiveError) -> Place {
        guard !path.isEmpty else { return .directory(hidesBelow: Whiteout.isOpaque(root)) }
        let parent = path.lastIndex(of: UInt8(ascii: "/")).map { path[..<$0] } ?? []
        guard case .directory(let hidesBelow) = try place(of: parent) else { return try place(of: parent) }
        let directory = RootedPath.openBeneath(root, Array(path) + [0])
        guard directory >= 0 else {
            switch errno {
            case ENOENT: return hidesBelow ? .hidden : .absent
            case ENOTDIR, ELOOP: return .hidden
            default: throw .system("open directory", shownName(path), Errno(rawValue: errno))
            }
        }
        defer { close(directory) }
        return .directory(hidesBelow: hidesBelow || Whiteout.isOpaque(directory))
    }
}

// What the layer itself says of them.
extension LayerApplier {
    /// The directories that should look like those of the layers below, as they are called now.
    func impliedDirectories(isCancelled: () -> Bool) throws(ArchiveError) -> [FilePath] {
        guard whiteouts != .literal else { return [] }
        var hidden: [ArraySlice<UInt8>: Bool] = [:]
        var paths: [FilePath] = isRootNamed || !options.prefix.isEmpty ? [] : ["."]
        var seen: Set<EntryPath> = []
        for path in implied {
            if isCancelled() { throw .cancelled }
            // Where whiteouts are carried out, nobody has to look for anything.
            guard whiteouts != .remove else {
                if !impliedAndNamed.contains(path), seen.insert(path).inserted { paths.append(path.filePath) }
                continue
            }
            guard let path = try realPath(of: path), !impliedAndNamed.contains(path), !anew.contains(path),
                seen.insert(path).inserted, try !isHidden(path, &hidden)
            else { continue }
            paths.append(path.filePath)
        }
        return paths
    }

    /// The path without symbolic links; `nil` if it is no directory any more.
    func realPath(of path: EntryPath) throws(ArchiveError) -> EntryPath? {
        var directory = RootedPath.openBeneath(root, path.bytes)
        if directory >= 0 {
            close(directory)
            return path
        }
        if errno == ELOOP {
            directory = RootedPath.open(root, path.bytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard directory >= 0 else {
            if errno == ENOENT || errno == ENOTDIR || errno == ELOOP { return nil }
            throw .system("open directory", path.shown, Errno(rawValue: errno))
        }
        defer { close(directory) }
        guard let base = Self.path(of: root), let full = Self.path(of: directory), full.starts(with: base) else {
            return nil
        }
        return EntryPath(Array(full.dropFirst(base.count)))
    }

    /// Where the kernel has an open directory.
    private static func path(of directory: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
        let length = buffer.withUnsafeMutableBytes {
            readlink(
                "/proc/self/fd/\(directory)", $0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped, $0.count)
        }
        return length < 0 ? nil : Array(buffer[..<length])
    }

    /// Whether a directory around it is opaque. What has been found out is kept in `known`: an archive may have any
    /// number of directories in one another.
    private func isHidden(
        _ path: EntryPath, _ known: inout [ArraySlice<UInt8>: Bool]
    ) throws(ArchiveError) -> Bool {
        guard hasOpaque else { return false }
        var asked: [ArraySlice<UInt8>] = []
        var parent = path.parent
        var isHidden = false
        while true {
            if let found = known[parent] {
                isHidden = found
                break
            }
            asked.append(parent)
            let directory = RootedPath.openBeneath(root, parent.isEmpty ? [UInt8(ascii: "."), 0] : Array(parent) + [0])
            guard directory >= 0 else { throw .system("open directory", path.shown, Errno(rawValue: errno)) }
            isHidden = Whiteout.isOpaque(directory)
            close(directory)
            if isHidden || parent.isEmpty { break }
            parent = parent.lastIndex(of: UInt8(ascii: "/")).map { parent[..<$0] } ?? []
        }
        for each in asked { known[each] = isHidden }
        return isHidden
    }
}
