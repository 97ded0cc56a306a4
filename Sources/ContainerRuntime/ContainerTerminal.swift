import LinuxKernel
import OCISpec
import SystemPackage

/// A process's terminal, as a pair in the container's own devpts.
struct ContainerTerminal {
    let master: FileDescriptor
    let slave: FileDescriptor

    /// Opens a pair by the multiplexer of the container whose root is `root`.
    init(root: FileDescriptor, size: Box?, owner: UInt32, keepsLineEnds: Bool) throws(RuntimeError) {
        (master, slave) = try attempt("cannot open a terminal in the container (/dev/pts/ptmx)") {
            () throws(Errno) -> (FileDescriptor, FileDescriptor) in
            let directory = try root.openInRoot("/dev/pts", [.path, .directory])
            defer { directory.discard() }
            // Anything else there could hand us a terminal of somebody else's.
            guard try FileSystemType.of(directory) == .devpts else { throw Errno.inappropriateIOCTLForDevice }
            let handle = try directory.open("ptmx", [.path, .noFollow])
            defer { handle.discard() }
            guard try FileStatus.of(handle).deviceNumbers == (5, 2) else { throw Errno.inappropriateIOCTLForDevice }
            let (master, slave, _) = try PseudoTerminal.open("ptmx", in: directory)
            return (master, slave)
        }
        try attempt("cannot set up the terminal") { () throws(Errno) in
            if let size {
                try slave.setWindowSize(columns: UInt16(clamping: size.width), rows: UInt16(clamping: size.height))
            }
            if keepsLineEnds { try TerminalAttributes(of: slave).keepLineEnds(slave) }
            if owner != 0 { try slave.changeOwner(uid: owner, gid: .max) }
        }
    }

    /// Shows the terminal as `/dev/console` of the container whose root is `root`.
    func attachToDevConsole(root: FileDescriptor) throws(RuntimeError) {
        try attempt("cannot mount /dev/console in the container") { () throws(Errno) in
            // A link there would lead the terminal over a file that is to be masked or protected (CVE-2025-52565).
            let dev = try root.makeDirectoriesInRoot("/dev")
            defer { dev.discard() }
            let target: FileDescriptor
            do throws(Errno) {
                target = try dev.open("console", .path, resolve: [.beneath, .noSymlinks])
            } catch .noSuchFileOrDirectory {
                target = try dev.open(
                    "console", [.create, .exclusive, .noFollow], mode: 0o620, resolve: [.beneath, .noSymlinks])
            }
            defer { target.discard() }
            // The open terminal itself, not its path (CVE-2025-52565).
            let tree = try Mounts.cloneTree(at: slave)
            defer { tree.discard() }
            try Mounts.attach(tree, on: target)
        }
    }

    /// Makes the terminal this session's, and the process's standard streams.
    func use() throws(RuntimeError) {
        try attempt("cannot use the terminal") { () throws(Errno) in
            try slave.becomeControllingTerminal()
            for number in 0..<3 { try slave.duplicate(onto: Int32(number)) }
        }
        slave.discard()
        master.discard()
    }
}
