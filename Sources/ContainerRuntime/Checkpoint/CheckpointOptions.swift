import LinuxKernel
import SystemPackage

/// How a container's processes are saved to files, or made from them again.
package struct CheckpointOptions: Hashable, Sendable {
    /// What becomes of control groups (criu(8), `--manage-cgroups`).
    package enum CgroupMode: String, Hashable, Sendable {
        case `default` = ""
        case soft, full, strict, ignore
    }

    /// Where the images are, or are to be.
    package var imageDirectory: FilePath
    /// Where CRIU's log and other files of its work go; `nil`: to the images.
    package var workDirectory: FilePath?
    /// The images of an earlier dump that have the pages which have not changed, relative to `imageDirectory`.
    package var parentImage: String?
    /// Let the container go on afterwards.
    package var leavesRunning = false
    /// Save TCP connections and make them again.
    package var allowsEstablishedTCP = false
    /// Leave out connections that nobody has accepted yet.
    package var skipsTCPInFlight = false
    /// Give files without a name one for the time being.
    package var remapsLinks = false
    /// Unix sockets whose other end is outside are no error.
    package var allowsExternalUnixSockets = false
    /// The processes have a terminal from outside.
    package var isShellJob = false
    /// Save and restore file locks.
    package var handlesFileLocks = false
    /// Save memory alone, and let the container go on.
    package var isPreDump = false
    /// Drop pages that a later dump has.
    package var deduplicates = false
    /// Send or fetch pages when they are needed.
    package var isLazy = false
    /// Gets a null byte when pages can be fetched; it is closed then.
    package var statusDescriptor: FileDescriptor?
    /// Where pages are sent.
    package var pageServerAddress: String?
    /// The port there.
    package var pageServerPort: Int32 = 0
    /// What becomes of control groups.
    package var cgroupMode = CgroupMode.default
    /// `TYPE:NAME` of a profile to be restored under, instead of the one that was in force.
    package var lsmProfile: String?
    /// The SELinux context to restore mounts with; `nil` leaves it as it was.
    package var lsmMountContext: String?
    /// Namespaces whose content is left to hooks.
    package var emptyNamespaces = Namespaces.network
    /// Where steps are told; `nil` is nowhere.
    package var log: RuntimeLog?

    /// Defaults throughout.
    package init(imageDirectory: FilePath) {
        self.imageDirectory = imageDirectory
    }
}
