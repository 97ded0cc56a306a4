import Glibc
import LinuxKernel
import SystemPackage
import Tar

/// Mounts that nobody else ever sees: on a thread of their own, in a mount name space that ends with it.
///
/// What is mounted lies in a tmpfs over the name space's root, each tree under a number. It is reached by descriptors,
/// which other threads may use as well as long as the thread lives.
package final class PrivateMounts {
    private let base: FileDescriptor
    private var count = 0
    private var opened: [FileDescriptor] = []

    private init(base: FileDescriptor) { self.base = base }

    /// Gives the present thread a mount name space, with the tmpfs in it.
    private static func make() throws(SnapshotError) -> PrivateMounts {
        do throws(Errno) {
            try Namespaces.mount.unshare()
            try Mounts.mount(nil, on: "/", flags: [.recursive, .private])
            let mounts = PrivateMounts(
                base: try Mounts.newFileSystem("tmpfs", options: [(key: "mode", value: "0700")]))
            let root = try FileDescriptor.workingDirectory.open("/", [.path, .directory])
            defer { root.discard() }
            try Mounts.attach(mounts.base, on: root)
            return mounts
        } catch {
            throw .system("make a mount name space for", "/", error)
        }
    }

    deinit {
        for descriptor in opened { descriptor.discard() }
        base.discard()
    }

    /// Runs `body` on a new thread with mounts of its own, and waits for it; blocks. Everything is unmounted
    /// afterwards.
    package static func run<R: Sendable>(
        _ name: String, _ body: @escaping @Sendable (PrivateMounts) throws -> R
    ) throws -> R {
        let thread: JoinableThread<R>
        do throws(Errno) {
            thread = try JoinableThread(name: name) {
                try body(try PrivateMounts.make())
            }
        } catch {
            throw SnapshotError.system("start a thread for", "/", error)
        }
        return try thread.join()
    }

    /// Mounts a snapshot. The result is a handle (`O_PATH`) on its root, and stays open as long as this object lives.
    package func mount(_ mounts: [SnapshotMount]) throws(SnapshotError) -> FileDescriptor {
        let place = try makePlace()
        for mount in mounts {
            do throws(Errno) {
                try Self.mount(mount, on: mount.target.map { FilePath($0) } ?? base.procPath.appending(place))
            } catch {
                throw .system("mount", FilePath(mount.source), error)
            }
        }
        return try root(of: place)
    }

    /// Mounts a snapshot so that nothing is written to it and it may be mounted elsewhere at the same time, or begin to
    /// be: what an overlay writes to is one more lower directory here, below an upper one in memory, in which places to
    /// mount on
    /// can be made.
    package func mountForReading(_ mounts: [SnapshotMount]) throws(SnapshotError) -> FileDescriptor {
        guard let overlay = mounts.last, overlay.type == "overlay", let upper = overlay.upperDirectory else {
            // The kernel has one file system for all mounts of the others.
            return try mount(mounts)
        }
        let scratch = base.procPath.appending(try makePlace())
        let (top, work) = (scratch.appending("top"), scratch.appending("work"))
        for path in [top, work] {
            do throws(Errno) {
                try Files.makeDirectory(path, mode: 0o755)
            } catch {
                throw .system("create directory", path, error)
            }
        }
        do throws(ArchiveError) {
            try ImpliedDirectories.complete(["."], in: top, below: [FilePath(upper)])
        } catch {
            throw .contents(error)
        }
        let kept = overlay.options.filter { option in
            !["upperdir=", "workdir=", "lowerdir=", "lowerdir+=", "volatile"].contains { option.hasPrefix($0) }
        }
        let lower = ([upper] + overlay.lowerDirectories).joined(separator: ":")
        return try mount(
            mounts.dropLast() + [
                SnapshotMount(
                    type: "overlay", source: "overlay",
                    options: kept + ["lowerdir=\(lower)", "upperdir=\(top)", "workdir=\(work)"])
            ])
    }

    /// Mounts what lies below the topmost layer of a view: the snapshot's parent, as it looks.
    package func mountParent(of view: SnapshotView) throws(SnapshotError) -> FileDescriptor {
        try mount(view.layers.dropFirst(), view.overlayOptions)
    }

    /// Mounts the snapshot of a view, as it looks.
    package func mount(_ view: SnapshotView) throws(SnapshotError) -> FileDescriptor {
        try mount(view.layers[...], view.overlayOptions)
    }

    private func mount(
        _ layers: ArraySlice<FilePath>, _ overlayOptions: [String]
    ) throws(SnapshotError) -> FileDescriptor {
        let lower = layers.map(\.string)
        guard let first = lower.first else { return try emptyDirectory() }
        guard lower.count > 1 else {
            // Nothing to be put together; some of them are mounts that are nowhere, which cannot be mounted elsewhere.
            do throws(Errno) {
                let directory = try Files.open(FilePath(first), [.readOnly, .directory])
                opened.append(directory)
                return directory
            } catch {
                throw .system("open", FilePath(first), error)
            }
        }
        let options = overlayOptions.filter { $0 != "index=off" }
        return try mount([
            SnapshotMount(
                type: "overlay", source: "overlay",
                options: ["lowerdir=" + lower.joined(separator: ":")] + options + ["ro"])
        ])
    }

    /// Mounts the parents of an overlay together, as they look without the snapshot itself; `nil` if it is no overlay.
    package func mountParents(of mounts: [SnapshotMount]) throws(SnapshotError) -> FileDescriptor? {
        guard let overlay = mounts.last, overlay.type == "overlay" else { return nil }
        let lower = overlay.lowerDirectories
        guard lower.count > 1 else {
            guard let only = lower.first else { return nil }
            return try mount(mounts.dropLast() + [SnapshotMount(type: "bind", source: only, options: ["rbind", "ro"])])
        }
        let kept = overlay.options.filter { option in
            !["upperdir=", "workdir=", "index=", "volatile"].contains { option.hasPrefix($0) }
        }
        return try mount(
            mounts.dropLast() + [SnapshotMount(type: "overlay", source: "overlay", options: kept + ["ro"])])
    }

    /// Attaches a detached mount and returns a handle on its root, as `mount` does.
    package func attach(_ tree: FileDescriptor) throws(SnapshotError) -> FileDescriptor {
        let place = try makePlace()
        do throws(Errno) {
            let target = try base.open(place, [.path, .directory])
            defer { target.discard() }
            try Mounts.attach(tree, on: target)
        } catch {
            throw .system("attach a mount to", "/", error)
        }
        return try root(of: place)
    }

    /// Attaches a detached mount to a path in a tree, with that tree's own links followed. Where nothing is, an empty
    /// directory or file is made to mount on, as at the start of a container.
    package func attach(_ tree: FileDescriptor, at path: String, in root: FileDescriptor) throws(SnapshotError) {
        do throws(Errno) {
            try Mounts.setAttributes(of: tree, set: .noDevices, recursive: true)
            let target =
                try FileStatus.of(tree).isDirectory
                ? root.makeDirectoriesInRoot(path) : root.makeFileInRoot(path)
            defer { target.discard() }
            try Mounts.attach(tree, on: target)
        } catch {
            throw .system("attach a mount to", FilePath(path), error)
        }
    }

    /// Attaches an empty file system in memory to a path in a tree, as `attach` does, and returns the mount, which
    /// stays open as long as this object lives.
    package func attachEmpty(at path: String, in root: FileDescriptor) throws(SnapshotError) -> FileDescriptor {
        let tree: FileDescriptor
        do throws(Errno) {
            tree = try Mounts.newFileSystem("tmpfs", options: [(key: "mode", value: "0755")])
        } catch {
            throw .system("make a file system for", FilePath(path), error)
        }
        opened.append(tree)
        try attach(tree, at: path, in: root)
        return tree
    }

    /// An empty directory.
    package func emptyDirectory() throws(SnapshotError) -> FileDescriptor { try root(of: makePlace(), isMount: false) }

    private func makePlace() throws(SnapshotError) -> String {
        count += 1
        do throws(Errno) {
            try base.makeDirectory(String(count), mode: 0o700)
        } catch {
            throw .system("create directory", FilePath(String(count)), error)
        }
        return String(count)
    }

    private func root(of place: String, isMount: Bool = true) throws(SnapshotError) -> FileDescriptor {
        do throws(Errno) {
            let root = try base.open(place, [.path, .directory])
            opened.append(root)
            // Whatever a container puts in the place of a file, no device is opened here.
            if isMount { try Mounts.setAttributes(of: root, set: .noDevices, recursive: true) }
            return root
        } catch {
            throw .system("open", FilePath(place), error)
        }
    }

    private static func mount(_ mount: SnapshotMount, on target: FilePath) throws(Errno) {
        var flags: MountFlags = []
        var data: [String] = []
        for option in mount.options {
            switch option {
            case "bind": flags.insert(.bind)
            case "rbind": flags.formUnion([.bind, .recursive])
            case "ro": flags.insert(.readOnly)
            case "nosuid": flags.insert(.noSetUserID)
            case "nodev": flags.insert(.noDevices)
            case "noexec": flags.insert(.noExecute)
            case "noatime": flags.insert(.noAccessTime)
            case "nodiratime": flags.insert(.noDirectoryAccessTime)
            case "relatime": flags.insert(.relativeAccessTime)
            case "strictatime": flags.insert(.strictAccessTime)
            case "sync": flags.insert(.synchronous)
            case "rw", "defaults", "suid", "dev", "exec", "async", "atime", "diratime", "norelatime": break
            default: data.append(option)
            }
        }
        let attributes: MountAttributes = flags.contains(.readOnly) ? .readOnly : []
        switch mount.type {
        case "erofs": return try attach(try Mounts.newImage(mount.type, FilePath(mount.source)), on: target)
        case "overlay":
            do throws(Errno) {
                let tree = try Mounts.newOverlay(
                    lower: mount.lowerDirectories, options: data.filter { !$0.hasPrefix("lowerdir") },
                    attributes: attributes)
                return try attach(tree, on: target)
            } catch {
                // Before Linux 6.7 it is mount(2) that knows how, or what is wrong.
            }
        default: break
        }
        try Mounts.mount(
            mount.source, on: target, type: mount.type, flags: flags,
            data: data.isEmpty ? nil : data.joined(separator: ","))
    }

    /// Attaches a detached mount, and closes it.
    private static func attach(_ tree: FileDescriptor, on target: FilePath) throws(Errno) {
        defer { tree.discard() }
        let handle = try Files.open(target, [.path, .directory])
        defer { handle.discard() }
        try Mounts.attach(tree, on: handle)
    }
}

extension SnapshotMount {
    /// The lower directories of an overlay, nearest first.
    package var lowerDirectories: [String] {
        options.flatMap { option -> [String] in
            if option.hasPrefix("lowerdir+=") { return [String(option.dropFirst("lowerdir+=".count))] }
            if option.hasPrefix("lowerdir=") {
                return option.dropFirst("lowerdir=".count).split(separator: ":").map(String.init)
            }
            return []
        }
    }

    /// The upper directory of an overlay.
    package var upperDirectory: String? {
        options.first { $0.hasPrefix("upperdir=") }.map { String($0.dropFirst("upperdir=".count)) }
    }
}

/// Mounts of a running container, taken out of its mount name space.
package struct ForeignMounts: Sendable {
    /// A detached copy of the mount at its root, without what is mounted below.
    package let root: FileDescriptor
    /// Detached copies of the mounts at the paths asked for, as far as there are any.
    package let others: [(path: String, tree: FileDescriptor)]

    /// Copies the mounts at `/` and at `paths` of a process. The descriptors are the caller's. Blocks.
    ///
    /// - Parameter process: a pidfd, by which the process is known to be the one that is meant.
    package static func copy(
        of process: FileDescriptor, paths: [String]
    ) throws -> ForeignMounts {
        try JoinableThread(name: "mounts") { try copyNow(of: process, paths: paths) }.join()
    }

    private static func copyNow(of process: FileDescriptor, paths: [String]) throws(Errno) -> ForeignMounts {
        // A thread that shares its root directory with others may not enter a mount name space.
        try Namespaces.mount.unshare()
        try Namespaces.mount.enter(process)
        let base = try FileDescriptor.workingDirectory.open("/", [.path, .directory])
        defer { base.discard() }
        let root = try Mounts.cloneTree(at: base)
        var others: [(path: String, tree: FileDescriptor)] = []
        for path in paths {
            // What is not mounted any more, or not there, is not seen either.
            if let tree = copyTree(path, in: base) { others.append((path, tree)) }
        }
        return ForeignMounts(root: root, others: others)
    }

    private static func copyTree(_ path: String, in base: FileDescriptor) -> FileDescriptor? {
        do throws(Errno) {
            let place = try base.openInRoot(path)
            defer { place.discard() }
            return try Mounts.cloneTree(at: place, recursive: true)
        } catch {
            return nil
        }
    }

    /// Lets go of all of them.
    package func discard() {
        root.discard()
        for other in others { other.tree.discard() }
    }
}
