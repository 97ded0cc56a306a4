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
    package var allowsEstablishedTCP = false
    package var skipsTCPInFlight = false
    package var remapsLinks = false
    package var allowsExternalUnixSockets = false
    package var isShellJob = false
    package var handlesFileLocks = false
    /// Save memory alone, and let the container go on.
    package var isPreDump = false
    package var deduplicates = false
    /// Send or fetch pages when they are needed.
    package var isLazy = false
    /// Gets a null byte when pages can be fetched; it is closed then.
    package var statusDescriptor: FileDescriptor?
    /// Where pages are sent.
    package var pageServerAddress: String?
    package var pageServerPort: Int32 = 0
    package var cgroupMode = CgroupMode.default
    /// `TYPE:NAME` of a profile to be restored under, instead of the one that was in force.
    package var lsmProfile: String?
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
