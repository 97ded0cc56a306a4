import CLinux
import Glibc
import SystemPackage

/// A process that has a socket open.
package struct SocketOwner: Hashable, Sendable {
    /// Its number, as this process sees it.
    package let processID: Int32
    /// The name of its program, of at most 15 bytes (`/proc/<pid>/comm`).
    package let command: String

    /// The first process that is found to have the socket with this inode open; `nil` if none is, or if it is one that
    /// the caller must not look into. Looks through the open files of all processes.
    package static func find(inode: UInt32) -> SocketOwner? {
        let wanted = "socket:[\(inode)]"
        for name in (try? Files.directoryNames(in: "/proc")) ?? [] {
            guard let processID = Int32(name), has(wanted, processID) else { continue }
            let command = (try? Files.readText(FilePath("/proc/\(name)/comm"))) ?? ""
            return SocketOwner(processID: processID, command: command)
        }
        return nil
    }

    private static func has(_ target: String, _ processID: Int32) -> Bool {
        // Processes end while they are looked into.
        guard let directory = try? Files.open(FilePath("/proc/\(processID)/fd"), [.readOnly, .directory]) else {
            return false
        }
        defer { directory.discard() }
        // As above; and descriptors are closed.
        return ((try? Files.names(in: directory)) ?? []).contains { (try? directory.readSymlink($0)) == target }
    }
}
