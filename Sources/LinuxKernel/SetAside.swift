import Glibc
import SystemPackage

/// Where a daemon puts what it finds in its data root and its database does not know, when the database may be at
/// fault: nothing of it is deleted.
package enum SetAside {
    private static let started = time(nil)

    /// `set-aside/<seconds since 1970>` below the data root; the same for all that one start sets aside.
    package static func folder(in dataRoot: FilePath) -> FilePath {
        dataRoot.appending("set-aside").appending(String(started))
    }
}
