import Glibc
import Images
import Snapshots
import SystemPackage

/// A container's root, mounted where nobody else sees it.
enum PrivateTree {
    /// Runs a shell command in it; its exit status.
    static func run(_ mounts: [SnapshotMount], _ command: String) throws -> Int32 {
        try PrivateMounts.run("test-tree") { trees in
            let root = try trees.mount(mounts)
            // The shell is this name space's child and sees its mounts; the descriptor is this process's.
            return system("cd /proc/\(getpid())/fd/\(root.rawValue) && \(command)")
        }
    }
}
