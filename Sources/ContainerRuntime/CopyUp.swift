import LinuxKernel
import SystemPackage

/// Copies what a tmpfs is about to hide into it (`tmpcopyup`).
enum CopyUp {
    /// Copies everything in `source` into `target`, with owners and modes. Both are open for reading.
    static func copy(from source: FileDescriptor, to target: FileDescriptor) throws(Errno) {
        for name in try Files.names(in: source) {
            let handle = try source.open(name, [.path, .noFollow])
            defer { handle.discard() }
            let status = try FileStatus.of(handle)
            switch status.kind {
            case .directory:
                try target.makeDirectory(name, mode: 0o700)
                let from = try source.open(name, [.readOnly, .directory, .noFollow])
                defer { from.discard() }
                let to = try target.open(name, [.readOnly, .directory, .noFollow])
                defer { to.discard() }
                try copy(from: from, to: to)
                try to.changeOwner(uid: status.uid, gid: status.gid)
                try to.changeMode(status.mode & 0o7777)
            case .regular:
                let from = try source.open(name, [.readOnly, .noFollow])
                defer { from.discard() }
                let to = try target.open(name, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o600)
                defer { to.discard() }
                while true {
                    let bytes = try from.readToEnd(limit: 1 << 20)
                    if bytes.isEmpty { break }
                    try to.writeEntire(bytes)
                }
                // The owner first: a change of owner takes the set-user-ID bit away.
                try to.changeOwner(uid: status.uid, gid: status.gid)
                try to.changeMode(status.mode & 0o7777)
            case .symbolicLink:
                try target.makeSymlink(name, to: source.readSymlink(name))
                try target.changeOwner(name, uid: status.uid, gid: status.gid)
            case .characterDevice, .blockDevice, .fifo:
                let numbers = status.deviceNumbers
                try target.makeNode(name, mode: status.mode, major: numbers.major, minor: numbers.minor)
                try target.changeOwner(name, uid: status.uid, gid: status.gid)
            case .socket, .unknown:
                // A socket is of use only to the process that bound it.
                break
            }
        }
    }
}
