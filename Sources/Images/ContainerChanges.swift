import Hashing
import Archive
import ContentStore
import GRDB
import Glibc
import JSON
import LinuxKernel
import OCISpec
import Snapshots
import Synchronization
import SystemPackage

extension Images {
    /// What a container changed in its root file system, in the order of the paths.
    ///
    /// - Parameters:
    ///   - mountPoints: paths that the runtime makes, which are no changes as long as they are empty.
    ///   - live: the root of the container as it sees it, if it runs; stays the caller's.
    package func changes(
        key: String, mountPoints: Set<[UInt8]>, live: FileDescriptor?
    ) async throws -> [TreeChange] {
        try await streams.run {
            try ImagesError.translating {
                try self.readChanges(key: key, mountPoints: mountPoints, live: live) { changes, _ in changes.all }
            }
        }
    }

    /// Runs `body` with a container's changes and with a directory in which what was added and modified is found.
    func readChanges<R: Sendable>(
        key: String, mountPoints: Set<[UInt8]>, live: FileDescriptor?,
        _ body: @escaping @Sendable (TreeChanges, FileDescriptor) throws -> R
    ) throws -> R {
        guard let information = try snapshotter.information(key) else { throw SnapshotError.notFound(key) }
        let mounts = try snapshotter.mounts(key)
        let snapshotter = snapshotter
        return try PrivateMounts.run("changes") { trees in
            if information.parent == information.origin, let upperPath = mounts.last?.upperDirectory,
                let old = try trees.mountParents(of: mounts)
            {
                let upper = try FileDescriptor.open(
                    FilePath(upperPath), .readOnly, options: [.directory, .closeOnExec])
                defer { upper.discard() }
                if let found = try TreeChanges(ofUpper: upper, over: old, mountPoints: mountPoints) {
                    return try body(found, upper)
                }
            }
            let new = try live ?? trees.mountForReading(mounts)
            guard let origin = information.origin else {
                return try body(TreeChanges(from: trees.emptyDirectory(), to: new, mountPoints: mountPoints), new)
            }
            let view = try snapshotter.view(origin)
            defer { withExtendedLifetime(view) {} }
            let old = try trees.mount(view)
            let madeAt = try FileStatus.of(information.directory).modified
            return try body(TreeChanges(from: old, to: new, mountPoints: mountPoints, madeAt: madeAt), new)
        }
    }

    /// Runs `body` with what a layer changes in those below it, and with the layer's directory.
    func readLayer<R: Sendable>(
        _ snapshot: String, _ body: @escaping @Sendable (TreeChanges, FileDescriptor) throws -> R
    ) throws -> R {
        let view = try snapshotter.view(snapshot)
        return try PrivateMounts.run("layer") { trees in
            defer { withExtendedLifetime(view) {} }
            guard let top = view.layers.first else { throw SnapshotError.notFound(snapshot) }
            let old = try trees.mountParent(of: view)
            let upper = try FileDescriptor.open(top, .readOnly, options: [.directory, .closeOnExec])
            defer { upper.discard() }
            guard let changes = try TreeChanges(ofUpper: upper, over: old) else {
                throw ImagesError(.system, "layer \(snapshot) refers to the layers below by name")
            }
            return try body(changes, upper)
        }
    }
}
