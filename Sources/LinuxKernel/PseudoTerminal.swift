import CLinux
import Glibc
import SystemPackage

/// Pseudo terminals; pty(7).
package enum PseudoTerminal {
    /// Opens a new pair through the multiplexer `multiplexer` (such as `/dev/pts/ptmx`), relative to `directory`.
    /// Both sides are close-on-exec, and neither becomes the controlling terminal.
    package static func open(
        _ multiplexer: String, in directory: FileDescriptor = .workingDirectory
    ) throws(Errno) -> (master: FileDescriptor, slave: FileDescriptor, number: Int) {
        let master = try directory.open(multiplexer, [.readWrite, .noControllingTerminal])
        do throws(Errno) {
            try checked(masu_unlock_terminal(master.rawValue))
            // TIOCGPTPEER opens the peer without a path, which somebody could have put another file at.
            let slave = try descriptor(masu_terminal_peer(master.rawValue, O_RDWR | O_NOCTTY | O_CLOEXEC))
            return (master, slave, try checked(masu_terminal_number(master.rawValue)))
        } catch {
            master.discard()
            throw error
        }
    }
}

extension FileDescriptor {
    /// Sets a terminal's size; its foreground process group gets SIGWINCH.
    package func setWindowSize(columns: UInt16, rows: UInt16) throws(Errno) {
        try checked(masu_set_window_size(rawValue, rows, columns))
    }

    /// A terminal's size.
    package func windowSize() throws(Errno) -> (columns: UInt16, rows: UInt16) {
        var rows: UInt16 = 0
        var columns: UInt16 = 0
        try checked(masu_get_window_size(rawValue, &rows, &columns))
        return (columns, rows)
    }

    /// Makes this terminal the controlling terminal of the session that this process leads.
    package func becomeControllingTerminal() throws(Errno) {
        try checked(masu_set_controlling_terminal(rawValue))
    }

    /// Whether this is a terminal.
    package var isTerminal: Bool { isatty(rawValue) == 1 }
}

/// A terminal's attributes, kept to be put back.
package struct TerminalAttributes: @unchecked Sendable {
    // `termios` is plain data; the importer does not mark it Sendable.
    private let attributes: termios

    /// The attributes of `terminal`.
    package init(of terminal: FileDescriptor) throws(Errno) {
        var attributes = termios()
        if tcgetattr(terminal.rawValue, &attributes) < 0 { throw Errno(rawValue: errno) }
        self.attributes = attributes
    }

    /// Puts them back.
    package func restore(on terminal: FileDescriptor) throws(Errno) {
        var attributes = attributes
        if tcsetattr(terminal.rawValue, TCSANOW, &attributes) < 0 { throw Errno(rawValue: errno) }
    }

    /// Passes every byte through unchanged from now on (cfmakeraw(3)), except that a line's end on its way out becomes
    /// one for this terminal, as it was.
    package func makeRaw(_ terminal: FileDescriptor) throws(Errno) {
        var raw = attributes
        cfmakeraw(&raw)
        raw.c_oflag |= attributes.c_oflag & tcflag_t(OPOST)
        if tcsetattr(terminal.rawValue, TCSANOW, &raw) < 0 { throw Errno(rawValue: errno) }
    }

    /// Lets a line's end on its way out be what the program wrote.
    package func keepLineEnds(_ terminal: FileDescriptor) throws(Errno) {
        var changed = attributes
        changed.c_oflag &= ~tcflag_t(ONLCR)
        if tcsetattr(terminal.rawValue, TCSANOW, &changed) < 0 { throw Errno(rawValue: errno) }
    }
}
