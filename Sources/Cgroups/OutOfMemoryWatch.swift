import LinuxKernel
import SystemPackage

/// Tells when a control group runs out of memory. What became of it says `Cgroup.outOfMemoryKills`.
package struct OutOfMemoryWatch: Hashable, Sendable {
    /// Readable when something has happened; call `take` then. Not blocking.
    package let descriptor: FileDescriptor
    private let isUnified: Bool

    /// Watches `group`.
    package init(_ group: Cgroup) throws(CgroupError) {
        guard let directory = group.directory(of: "memory") else {
            throw CgroupError("cannot watch for lack of memory: the memory controller is not mounted")
        }
        isUnified = group.isUnified
        do throws(Errno) {
            if group.isUnified {
                let inotify = try Inotify()
                try inotify.watch(directory.appending("memory.events"), mask: Inotify.modified)
                descriptor = inotify.descriptor
            } else {
                let event = try EventFD()
                let control = try Files.open(directory.appending("memory.oom_control"), .readOnly)
                defer { control.discard() }
                try Files.write(
                    "\(event.descriptor.rawValue) \(control.rawValue)", to: directory.appending("cgroup.event_control"))
                descriptor = event.descriptor
            }
        } catch {
            throw CgroupError("cannot watch \(directory) for lack of memory", error)
        }
    }

    /// Reads the events that have come, so that the descriptor becomes readable again only at the next event. The
    /// removal of the group is an event, too.
    package func take() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        // Both kinds of descriptors give all they have in one read, and nothing depends on what it says.
        _ = buffer.withUnsafeMutableBytes { buffer in try? descriptor.read(into: buffer) }
    }

    /// Ends the watch.
    package func close() {
        descriptor.discard()
    }
}
