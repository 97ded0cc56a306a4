import Tar
import SystemPackage

/// Why a snapshot operation failed.
package enum SnapshotError: Error, Hashable, Sendable, CustomStringConvertible {
    case exists(String)
    case notFound(String)
    /// The snapshot is the parent of others.
    case inUse(String)
    /// Somebody holds the snapshot: who.
    case retained(String, by: String)
    /// The operation is not for a snapshot in this state.
    case wrongState(String, SnapshotInformation.State)
    /// A system call failed: what was done, to which path.
    case system(String, FilePath, Errno)
    case database(String)
    /// The contents of a layer could not be completed.
    case contents(ArchiveError)
    case unknownDriver(String)
    /// This machine cannot have the driver: why, and what to do.
    case unavailable(driver: String, String)
    /// There is no room for another snapshot.
    case full(String)
    /// An option that the driver does not have, or a value that cannot be.
    case option(String)

    package var description: String {
        switch self {
        case .exists(let name): "snapshot \(name) already exists"
        case .notFound(let name): "no such snapshot: \(name)"
        case .inUse(let name): "snapshot \(name) is the parent of others"
        case .retained(let name, let holder): "snapshot \(name) is retained for \(holder)"
        case .wrongState(let name, let state): "snapshot \(name) is \(state.rawValue)"
        case .system(let operation, let path, let errno): "\(operation) \(shownName(path.string.utf8)): \(errno)"
        case .database(let message): "snapshot database: \(message)"
        case .contents(let error): error.description
        case .unknownDriver(let name):
            "unknown storage driver \"\(name)\": use one of \(Snapshots.drivers.joined(separator: ", "))"
        case .unavailable(let driver, let reason): "storage driver \(driver) does not work here: \(reason)"
        case .full(let message), .option(let message): message
        }
    }
}
