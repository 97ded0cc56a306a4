import LinuxKernel
import SystemPackage

// The mounts that make up a container's root file system.
extension RootFilesystem {
    /// Opens the file systems among the mounts, as detached mounts: those that are on a device or in a file. The
    /// container's process may not, as it can be in its control group by then, which refuses it devices. `nil` is for
    /// mounts that it makes itself.
    static func openTrees(_ mounts: [RootfsMount]) throws(RuntimeError) -> [FileDescriptor?] {
        var trees: [FileDescriptor?] = []
        do throws(RuntimeError) {
            for mount in mounts { trees.append(try openTree(mount)) }
        } catch {
            for tree in trees { tree?.discard() }
            throw error
        }
        return trees
    }

    private static func openTree(_ mount: RootfsMount) throws(RuntimeError) -> FileDescriptor? {
        let options = MountOptions(mount.options)
        guard mount.type != "bind", mount.type != "overlay", !options.isBind else { return nil }
        let failure = mount.failure ?? "cannot open the root file system \(mount.source) (\(mount.type))"
        return try attempt(failure) { () throws(Errno) in
            if mount.type == "erofs" { return try Mounts.newImage(mount.type, FilePath(mount.source)) }
            let pairs = options.data.map { option -> (key: String, value: String?) in
                let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    .map(String.init)
                return (parts[0], parts.count == 2 ? parts[1] : nil)
            }
            return try Mounts.newFileSystem(
                mount.type, source: mount.source,
                options: (options.flags.contains(.readOnly) ? [("ro", nil)] : []) + pairs,
                attributes: options.attributes.set)
        }
    }

    /// - Parameter tree: The mount itself, if it is open already; it stays the caller's.
    static func mount(
        _ mount: RootfsMount, on root: FilePath, tree: FileDescriptor? = nil
    ) throws(RuntimeError) {
        var path = root
        if let target = mount.target {
            path = FilePath(target)
            let isThere = Files.exists(path)
            let directory = isThere ? path : path.removingLastComponent()
            if !isThere {
                try attempt("cannot make \(directory)") { () throws(Errno) in try Files.makeDirectories(directory) }
            }
            // What is mounted there is for this mount namespace alone, whatever the container's own mounts share with
            // the host.
            try setPropagation(.slave, above: directory)
            if let subpath = mount.subpath { return try mountPart(of: mount.source, at: subpath, on: path) }
            if !isThere {
                try attempt("cannot make \(path)") { () throws(Errno) in try Files.makeDirectory(path) }
            }
        }
        let options = MountOptions(mount.options)
        let failure = mount.failure ?? "cannot mount the root file system (\(mount.type)) on \(path)"
        try attempt(failure) { () throws(Errno) in
            if mount.type == "bind" || options.isBind {
                try Mounts.mount(mount.source, on: path, flags: [.bind, .recursive])
                if !options.attributes.isEmpty {
                    let handle = try Files.open(path, [.path, .directory])
                    defer { handle.discard() }
                    try Mounts.setAttributes(of: handle, set: options.attributes.set, clear: options.attributes.clear)
                }
                return
            }
            if let tree { return try attach(tree, on: path) }
            if mount.type == "erofs" { return try mountImage(mount, on: path) }
            if mount.type == "overlay", try mountOverlay(options, on: path) { return }
            var data = options.data.joined(separator: ",")
            if data.utf8.count >= pageSize {
                // mount(2) takes one page of options, and an image of many layers needs more: their directories are
                // then named relative to the one they have in common, in which this process may as well be.
                let (directory, shortened) = shortened(options.data)
                try WorkingDirectory.change(to: directory)
                data = shortened.joined(separator: ",")
            }
            guard data.utf8.count < pageSize else { throw Errno.argListTooLong }
            try Mounts.mount(mount.source, on: path, type: mount.type, flags: options.flags, data: data)
        }
    }

    /// Mounts what is at `subpath` in the directory `source` on `path`, a directory or file that is made for it.
    ///
    /// It is found once, and mounted by the descriptor that it was found with. A process that has the directory as well
    /// may put a link in the place of a part of the path at any moment.
    private static func mountPart(
        of source: String, at subpath: String, on path: FilePath
    ) throws(RuntimeError) {
        let base = try attempt("cannot open \(source)") { () throws(Errno) in
            try Files.open(FilePath(source), [.path, .directory])
        }
        defer { base.discard() }
        let part: FileDescriptor
        do throws(Errno) {
            part = try base.open(subpath, .path, resolve: [.beneath, .noMagicLinks])
        } catch .noSuchFileOrDirectory {
            let place = "\(source)/\(subpath)"
            throw RuntimeError(
                .invalid, "cannot access path \(place): lstat \(place): \(Errno.noSuchFileOrDirectory.words)")
        } catch .improperLink {
            throw RuntimeError(
                .invalid, "path concatenation escapes the base directory, base: \(source), subpath: \(subpath)")
        } catch {
            throw RuntimeError(.system, "cannot access path \(source)/\(subpath): \(error.words)")
        }
        defer { part.discard() }
        try attempt("cannot mount \(source)/\(subpath)") { () throws(Errno) in
            let isDirectory = try FileStatus.of(part).isDirectory
            if isDirectory {
                try Files.makeDirectories(path)
            } else {
                try Files.open(path, [.writeOnly, .create, .noFollow], mode: 0o600).discard()
            }
            let tree = try Mounts.cloneTree(at: part, recursive: true)
            defer { tree.discard() }
            let target = try Files.open(path, isDirectory ? [.path, .directory] : .path)
            defer { target.discard() }
            try Mounts.attach(tree, on: target)
        }
    }

    /// A file system in a file.
    private static func mountImage(_ mount: RootfsMount, on path: FilePath) throws(Errno) {
        let tree = try Mounts.newImage(mount.type, FilePath(mount.source))
        defer { tree.discard() }
        try attach(tree, on: path)
    }

    /// Mounts an overlay with one call per layer, so that their number and the length of their paths do not matter.
    /// Returns whether the kernel can do so (Linux 6.7); mount(2) is for others, and then has the error to tell, if
    /// there is one.
    private static func mountOverlay(_ options: MountOptions, on path: FilePath) throws(Errno) -> Bool {
        let key = "lowerdir="
        guard options.flags.subtracting([.readOnly, .noSetUserID, .noDevices, .noExecute]).isEmpty,
            let lower = options.data.first(where: { $0.hasPrefix(key) })
        else { return false }
        let tree: FileDescriptor
        do throws(Errno) {
            tree = try Mounts.newOverlay(
                lower: lower.dropFirst(key.utf8.count).split(separator: ":").map(String.init),
                options: options.data.filter { !$0.hasPrefix(key) }, attributes: options.attributes.set)
        } catch {
            return false
        }
        defer { tree.discard() }
        try attach(tree, on: path)
        return true
    }

    private static func attach(_ tree: FileDescriptor, on path: FilePath) throws(Errno) {
        let target = try Files.open(path, [.path, .directory])
        defer { target.discard() }
        try Mounts.attach(tree, on: target)
    }

    private static let pageSize = 4096

    /// `options` with the paths in `lowerdir=` relative to their common directory, and that directory.
    private static func shortened(_ options: [String]) -> (directory: FilePath, options: [String]) {
        let key = "lowerdir="
        guard let index = options.firstIndex(where: { $0.hasPrefix(key) }) else { return ("/", options) }
        let paths = options[index].dropFirst(key.utf8.count).split(separator: ":").map { $0.split(separator: "/") }
        var common = paths.first.map { Array($0.dropLast()) } ?? []
        for path in paths { common = Array(zip(common, path.dropLast()).prefix { $0.0 == $0.1 }.map(\.0)) }
        var options = options
        options[index] =
            key + paths.map { $0.dropFirst(common.count).joined(separator: "/") }.joined(separator: ":")
        return (FilePath("/" + common.joined(separator: "/")), options)
    }
}
