import Glibc

/// The terminal behind standard input and output.
enum Terminal {
    /// Whether a descriptor is a terminal.
    static func isTerminal(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1
    }

    /// A window's size in characters.
    struct Size: Hashable {
        let rows: Int
        let columns: Int
    }

    /// The size of the terminal behind a descriptor; nil if it is not a terminal or its size is unknown.
    static func size(_ descriptor: Int32 = STDOUT_FILENO) -> Size? {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_row > 0 || window.ws_col > 0 else {
            return nil
        }
        return Size(rows: Int(window.ws_row), columns: Int(window.ws_col))
    }

    /// What there is room for in a window; a usual one's size where its own is not known, in part or as a whole.
    static func shownSize(_ descriptor: Int32 = STDOUT_FILENO) -> Size {
        let size = size(descriptor) ?? Size(rows: 0, columns: 0)
        return Size(rows: size.rows > 0 ? size.rows : 24, columns: size.columns > 0 ? size.columns : 80)
    }

    /// Refuses to attach a terminal to a container if standard input is not a terminal.
    static func check(attachesInput: Bool, tty: Bool) throws(CommandError) {
        if attachesInput, tty, !isTerminal(STDIN_FILENO) {
            throw CommandError("the input device is not a TTY")
        }
    }
}

/// A terminal in raw mode: every key goes to the container, none has a meaning here.
final class RawTerminal {
    private let descriptor: Int32
    private var saved: termios?

    /// Switches to raw mode; does nothing if the descriptor is not a terminal.
    init(_ descriptor: Int32 = STDIN_FILENO) {
        self.descriptor = descriptor
        var settings = termios()
        guard tcgetattr(descriptor, &settings) == 0 else { return }
        saved = settings
        cfmakeraw(&settings)
        tcsetattr(descriptor, TCSANOW, &settings)
    }

    /// Puts the terminal back as it was; safe to call again.
    func restore() {
        guard var settings = saved else { return }
        saved = nil
        // From the background, changing the terminal would stop the program; it must not stop half-way out.
        let old = signal(SIGTTOU, SIG_IGN)
        tcsetattr(descriptor, TCSADRAIN, &settings)
        signal(SIGTTOU, old)
    }

    deinit {
        restore()
    }
}
