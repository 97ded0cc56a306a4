import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// The signals that this program passes on or dies of.
enum SignalNames {
    /// Number and name of all signals that can be passed on to a container.
    static let forwarded: [(number: Int32, name: String)] = [
        (SIGHUP, "HUP"), (SIGINT, "INT"), (SIGQUIT, "QUIT"), (SIGABRT, "ABRT"), (SIGUSR1, "USR1"), (SIGUSR2, "USR2"),
        (SIGALRM, "ALRM"), (SIGTERM, "TERM"), (SIGCONT, "CONT"), (SIGTSTP, "TSTP"), (SIGXCPU, "XCPU"),
        (SIGXFSZ, "XFSZ"),
        (SIGVTALRM, "VTALRM"), (SIGPROF, "PROF"), (SIGIO, "IO"), (SIGPWR, "PWR"),
    ]

    /// Signals that end this program while the terminal is raw; SIGPIPE says that no program reads its output any more.
    static let fatal: [Int32] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE]
}

/// The write end of the pipe into which the signal handler writes; −1 without a ``SignalRelay``.
///
/// A handler can reach nothing but a global. This one is set before the handler is installed.
private let signalPipe = Atomic<Int32>(-1)

/// Takes signals as data, so that one loop waits for streams and signals alike: the handler only writes a number to a
/// pipe.
final class SignalRelay {
    /// Readable when a signal has come.
    let descriptor: Int32
    private let numbers: [Int32]
    private let handle: (Int32) -> Void
    /// Signals that came before they could be handled.
    private var held: [Int32] = []

    /// Takes the given signals from now on. There is one relay at a time.
    init(_ signals: [Int32], handle: @escaping (Int32) -> Void) throws(CommandError) {
        do throws(Errno) {
            let ends = try FileDescriptor.makePipe()
            try ends.reading.setNonBlocking(true)
            try ends.writing.setNonBlocking(true)
            descriptor = ends.reading.rawValue
            signalPipe.store(ends.writing.rawValue, ordering: .relaxed)
        } catch {
            throw CommandError("cannot watch signals: \(Console.words(error.rawValue))")
        }
        numbers = signals
        self.handle = handle
        for number in signals {
            signal(number) { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(signalPipe.load(ordering: .relaxed), &byte, 1)
                errno = before
            }
        }
    }

    deinit {
        for number in numbers { signal(number, SIG_DFL) }
        close(signalPipe.exchange(-1, ordering: .relaxed))
        close(descriptor)
    }

    /// Handles all signals that have come.
    func drain() {
        while let number = next() { handle(number) }
    }

    private func next() -> Int32? {
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1) == 1 ? Int32(byte) : nil
    }

    /// Keeps signals back until a descriptor can be read: a container that is just being started cannot get them yet.
    ///
    /// A user who sends a signal twice does not want to wait: a second SIGINT or SIGTERM ends this program.
    func hold(until other: Int32) {
        while true {
            var entries = [
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&entries, 2, -1) < 0, errno != EINTR { return }
            if entries[0].revents != 0 { return }
            while let number = next() {
                if number == SIGINT || number == SIGTERM, held.contains(number) { Self.die(of: number) }
                held.append(number)
            }
        }
    }

    /// Handles the signals that were kept back.
    func release() {
        for number in held { handle(number) }
        held = []
    }

    /// Handles signals until a descriptor can be read.
    func wait(for other: Int32) {
        while true {
            var entries = [
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&entries, 2, -1) < 0, errno != EINTR { return }
            if entries[1].revents != 0 { drain() }
            if entries[0].revents != 0 { return }
        }
    }

    /// Ends this program by a signal's own effect, so that the parent sees what happened.
    static func die(of number: Int32) -> Never {
        signal(number, SIG_DFL)
        raise(number)
        exit(128 + number)
    }
}
