import LinuxKernel
import SystemPackage

/// A snapshot opened for reading in this process, until the last reference goes.
///
/// Drivers whose layers are file systems mount them for it, but nowhere: no mount table shows them, and they go with
/// this object or with the process.
package final class SnapshotView: Sendable {
    /// Directories, the topmost first; `Snapshotter` says what they are together. Valid in this process only, and not
    /// longer than this object: keep the object while you use the paths (`withExtendedLifetime`).
    package let layers: [FilePath]
    /// What an overlay of the layers has to be mounted with.
    package let overlayOptions: [String]
    private let mounts: [FileDescriptor]
    private let ended: (@Sendable () -> Void)?

    /// Directories that are there anyway.
    init(_ directories: [FilePath], overlayOptions: [String] = []) {
        layers = directories
        self.overlayOptions = overlayOptions
        mounts = []
        ended = nil
    }

    /// Directories some of which are detached mounts, which the view closes in the end; `ended` is called after that.
    init(_ directories: [FilePath], mounts: [FileDescriptor], ended: (@Sendable () -> Void)? = nil) {
        layers = directories
        overlayOptions = []
        self.mounts = mounts
        self.ended = ended
    }

    deinit {
        for mount in mounts { mount.discard() }
        ended?()
    }
}
