import Glibc

/// One of the kernel's signals, 1 to 64; signal(7).
///
/// The names are those that Docker's command line and API take (moby/sys/signal): the real-time signals from both ends
/// of their range, `RTMIN+1` to `RTMIN+15` and `RTMAX-14` to `RTMAX-1`. `RTMIN` is 34: the C library keeps two for
/// itself.
package struct Signal: RawRepresentable, Hashable, Sendable, Codable {
    /// The kernel's number (x86-64 and AArch64).
    package let rawValue: Int32

    /// The signal with the number `rawValue`; `nil` outside 1 to 64. 0 only asks whether a process is there.
    package init?(rawValue: Int32) {
        guard (1...64).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    private init(_ number: Int32) { rawValue = number }

    /// Asks a program to end: a terminal's end, or by custom to read its configuration again.
    package static let hangUp = Signal(SIGHUP)
    /// Asks a program to end, as a terminal does for Ctrl-C.
    package static let interrupt = Signal(SIGINT)
    /// Ends a process; nothing can keep it off.
    package static let kill = Signal(SIGKILL)
    /// Asks a program to end.
    package static let terminate = Signal(SIGTERM)
    /// Lets a stopped process go on.
    package static let `continue` = Signal(SIGCONT)

    /// The signal called `text`: a name with or without `SIG`, in any case, or a number. `nil` if there is none.
    package init?(_ text: String) {
        if let number = Int32(text) {
            self.init(rawValue: number)
            return
        }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let entry = Self.names.first(where: { $0.name == name }) {
            self.init(entry.number)
        } else if let offset = Self.offset(in: name, after: "RTMIN+"), (1...15).contains(offset) {
            self.init(Self.firstRealTime + offset)
        } else if let offset = Self.offset(in: name, after: "RTMAX-"), (1...14).contains(offset) {
            self.init(Self.lastRealTime - offset)
        } else {
            return nil
        }
    }

    private static func offset(in name: String, after prefix: String) -> Int32? {
        // A sign is not part of these names.
        guard name.hasPrefix(prefix), name.utf8.dropFirst(prefix.utf8.count).allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int32(name.dropFirst(prefix.count))
    }

    /// The name without `SIG`: `TERM`, `RTMIN+3`; the number for the two that have none.
    package var name: String {
        if let entry = Self.names.first(where: { $0.number == rawValue }) { return entry.name }
        if (Self.firstRealTime...Self.firstRealTime + 15).contains(rawValue) {
            return "RTMIN+\(rawValue - Self.firstRealTime)"
        }
        if (Self.lastRealTime - 14...Self.lastRealTime).contains(rawValue) {
            return "RTMAX-\(Self.lastRealTime - rawValue)"
        }
        return "\(rawValue)"
    }

    private static let firstRealTime: Int32 = 34
    private static let lastRealTime: Int32 = 64

    /// Names without `SIG`; where a signal has several, the first is the usual one.
    private static let names: [(name: String, number: Int32)] = [
        ("HUP", SIGHUP), ("INT", SIGINT), ("QUIT", SIGQUIT), ("ILL", SIGILL), ("TRAP", SIGTRAP), ("ABRT", SIGABRT),
        ("IOT", SIGABRT), ("BUS", SIGBUS), ("FPE", SIGFPE), ("KILL", SIGKILL), ("USR1", SIGUSR1), ("SEGV", SIGSEGV),
        ("USR2", SIGUSR2), ("PIPE", SIGPIPE), ("ALRM", SIGALRM), ("TERM", SIGTERM), ("STKFLT", SIGSTKFLT),
        ("CHLD", SIGCHLD), ("CLD", SIGCHLD), ("CONT", SIGCONT), ("STOP", SIGSTOP), ("TSTP", SIGTSTP),
        ("TTIN", SIGTTIN), ("TTOU", SIGTTOU), ("URG", SIGURG), ("XCPU", SIGXCPU), ("XFSZ", SIGXFSZ),
        ("VTALRM", SIGVTALRM), ("PROF", SIGPROF), ("WINCH", SIGWINCH), ("IO", SIGIO), ("POLL", SIGIO), ("PWR", SIGPWR),
        ("SYS", SIGSYS), ("RTMIN", firstRealTime), ("RTMAX", lastRealTime),
    ]
}

extension Signal: CustomStringConvertible {
    package var description: String { name }
}
