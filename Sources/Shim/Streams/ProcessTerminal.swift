import LinuxKernel
import SystemPackage

/// The terminal of one process, the container's first or an exec, from the shim's side.
final class ProcessTerminal {
    private let master: FileDescriptor
    /// Our own hold on the process's side. A program may close its terminal and open it again later (an init system
    /// does). While nobody has it open, the master reads an error that cannot be told from the end; so we keep it open
    /// until the process has ended.
    private var peer: FileDescriptor?
    private var isClosed = false

    /// Takes over the master side, also if this throws.
    init(_ master: FileDescriptor) throws(Errno) {
        do throws(Errno) {
            try master.setNonBlocking(true)
            peer = try master.openTerminalPeer()
        } catch {
            master.discard()
            throw error
        }
        self.master = master
    }

    deinit { close() }

    /// Another descriptor of the master side, for who reads or writes.
    func duplicate() throws(Errno) -> FileDescriptor { try master.duplicate(from: 3) }

    /// Sets the size; its foreground processes get SIGWINCH.
    func resize(columns: UInt16, rows: UInt16) throws(Errno) {
        try master.setWindowSize(columns: columns, rows: rows)
    }

    /// From now on the terminal ends when the last other process lets it go.
    func processEnded() {
        peer?.discard()
        peer = nil
    }

    /// Lets go of both sides.
    func close() {
        processEnded()
        guard !isClosed else { return }
        isClosed = true
        master.discard()
    }
}
