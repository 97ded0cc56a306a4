import CLinux
import Glibc
import SystemPackage

/// A set of signals; signal(7).
package struct SignalSet: Hashable, Sendable {
    private var bits: UInt64

    /// The set of `signals`.
    package init(_ signals: [Int32] = []) {
        bits = 0
        for signal in signals where (1...64).contains(signal) { bits |= 1 << UInt64(signal - 1) }
    }

    /// Every signal.
    package static let all: SignalSet = {
        var set = SignalSet()
        set.bits = .max
        return set
    }()

    /// Whether `signal` is a member.
    package func contains(_ signal: Int32) -> Bool {
        (1...64).contains(signal) && bits & 1 << UInt64(signal - 1) != 0
    }

    /// This set without `signals`.
    package func subtracting(_ signals: [Int32]) -> SignalSet {
        var set = self
        for signal in signals where (1...64).contains(signal) { set.bits &= ~(1 << UInt64(signal - 1)) }
        return set
    }

    private var native: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in 1...Int32(64) where contains(signal) { sigaddset(&set, signal) }
        return set
    }

    /// Sets the signals that this thread holds back to exactly this set.
    package func block() {
        var set = native
        // Fails only for an unknown first argument.
        sigprocmask(SIG_SETMASK, &set, nil)
    }

    /// A descriptor from which the signals of this set, which must be blocked, can be read; signalfd(2).
    /// Close-on-exec and not blocking.
    package func makeDescriptor() throws(Errno) -> FileDescriptor {
        var set = native
        let result = signalfd(-1, &set, CInt(O_CLOEXEC | O_NONBLOCK))
        if result < 0 { throw Errno(rawValue: errno) }
        return FileDescriptor(rawValue: result)
    }
}

/// Sending and resetting signals.
package enum Signals {
    /// kill(2).
    package static func send(_ signal: Int32, to pid: Int32) throws(Errno) {
        if kill(pid, signal) < 0 { throw Errno(rawValue: errno) }
    }

    /// The next signal of a descriptor made by `SignalSet.makeDescriptor`: its number and its sender.
    package static func next(from descriptor: FileDescriptor) throws(Errno) -> (signal: Int32, pid: Int32)? {
        var information = signalfd_siginfo()
        let count = Glibc.read(descriptor.rawValue, &information, MemoryLayout<signalfd_siginfo>.size)
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return nil }
            throw Errno(rawValue: errno)
        }
        return (Int32(information.ssi_signo), Int32(bitPattern: information.ssi_pid))
    }

    /// Lets `signal` be ignored, or do again what it does by default.
    package static func ignore(_ signal: Int32, _ ignored: Bool = true) {
        Glibc.signal(signal, ignored ? SIG_IGN : SIG_DFL)
    }

    /// Lets every signal do again what it does by default. An execve does that for handlers only, not for what is
    /// ignored.
    package static func resetAll() {
        // Not by sigaction(3), which leaves out two that the C library keeps for itself and sets to "ignore" in what it
        // spawns.
        for signal in 1...Int32(64) where signal != 9 && signal != 19 { masu_reset_signal(signal) }
    }

    /// What `signal` means, in lower case: "killed", "segmentation fault".
    package static func description(of signal: Int32) -> String {
        guard let text = strsignal(signal) else { return "signal \(signal)" }
        return String(cString: text).lowercased()
    }
}
