import LinuxKernel
import SystemPackage

/// A snapshot opened for reading in this process, until the last reference goes.
///
/// Drivers whose layers are file systems mount them for it, but nowhere: no mount table shows them, and they go with this
/// object or with the process.
package final class SnapshotView: Sendable {
    /// Directories, the topmost first; `Snapshotter` says what they are together. Valid in this process only, and not longer than
    /// this object: whoever goes on with the paths keeps it (`withExtendedLifetime`).
    package let layers: [FilePath]
    private let mounts: [FileDescriptor]

    /// Directories that are there anyway.
    init(_ directories: [FilePath]) {
        layers = directories
        mounts = []
    }

    /// Directories some of which are detached mounts, which the view closes in the end.
    init(_ directories: [FilePath], mounts: [FileDescriptor]) {
        layers = directories
        self.mounts = mounts
    }

    deinit {
        for mount in mounts { mount.discard() }
    }
}
