import ContainerRuntime
import Glibc
import LinuxKernel
import SystemPackage

/// Follows a process that this program started to its end: signals go to it, and between its terminal and ours
/// everything goes both ways.
///
/// Make it before the process starts, so that no signal is missed.
struct Foreground {
    private let signals: FileDescriptor

    init() throws(RuntimeError) {
        // Signals that the kernel raises for what this program itself does wrong cannot wait.
        let set = SignalSet.all.subtracting([SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS])
        set.block()
        do throws(Errno) {
            signals = try set.makeDescriptor()
        } catch {
            throw RuntimeError(.system, "signalfd: \(error)")
        }
    }

    /// How a process ended, and whether all it had to say could be passed on.
    struct Ending {
        fileprivate let code: Int32
        fileprivate let outputFailure: Errno?

        /// The exit status as a shell would give it.
        ///
        /// - Throws: ``RuntimeError`` if the process's output could not be written to standard output. To be asked for
        ///   when all else is done.
        func status() throws(RuntimeError) -> Int32 {
            if let outputFailure { throw RuntimeError(.system, "write /dev/stdout: \(outputFailure.words)") }
            return code
        }
    }

    /// Waits for the end of `process`.
    func follow(_ process: StartedProcess) throws -> Ending {
        guard let console = process.console else {
            return Ending(code: try followWithoutTerminal(process.pid), outputFailure: nil)
        }
        let relay = TerminalRelay(console: console)
        defer { relay.restore() }
        var status: ProcessControl.ExitStatus?
        while status == nil {
            let events = try relay.wait(besides: signals)
            if !events.isEmpty { status = try handleSignals(process.pid, console: console) }
        }
        try relay.drain()
        return Ending(code: status?.code ?? 0, outputFailure: relay.outputFailure)
    }

    private func followWithoutTerminal(_ pid: Int32) throws -> Int32 {
        while true {
            _ = try Poll.wait(for: [(signals, .readable)])
            if let status = try handleSignals(pid, console: nil) { return status.code }
        }
    }

    /// Passes on the signals that have come. Gives the exit status if the process has ended.
    private func handleSignals(_ pid: Int32, console: FileDescriptor?) throws -> ProcessControl.ExitStatus? {
        while let (signal, sender) = try Signals.next(from: signals) {
            switch signal {
            case SIGCHLD:
                while let (reaped, status) = try reap() {
                    if reaped == pid { return status }
                }
            case SIGWINCH where console != nil:
                // If the input is not a terminal, there is no size to pass on.
                if let size = try? FileDescriptor.standardInput.windowSize() {
                    // The program may have just ended, and its terminal with it.
                    try? console?.setWindowSize(columns: size.columns, rows: size.rows)
                }
            case SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGPIPE:
                // About this program's own terminal, scheduling and pipes.
                continue
            default:
                // A signal of the terminal goes to the whole foreground group; the container's process is not in it.
                _ = sender
                try? Signals.send(signal, to: pid)
            }
        }
        return nil
    }

    private func reap() throws -> (pid: Int32, status: ProcessControl.ExitStatus)? {
        do throws(Errno) {
            return try ProcessControl.wait(blocking: false)
        } catch .noChildProcess {
            return nil
        }
    }
}

/// Copies between a container's terminal and this program's standard streams.
final class TerminalRelay {
    private let console: FileDescriptor
    private let saved: TerminalAttributes?
    private var isInputOpen = true
    private var isConsoleOpen = true
    /// Why standard output takes no more. What comes after is read and dropped, so that the process is not held up.
    private(set) var outputFailure: Errno?

    init(console: FileDescriptor) {
        self.console = console
        let input = FileDescriptor.standardInput
        // Fails if the input is no terminal; then there is nothing to restore.
        saved = try? TerminalAttributes(of: input)
        // With a terminal on this side it only passes on; all else is done by the one in the container.
        try? saved?.makeRaw(input)
        if let size = try? input.windowSize(), size.columns > 0 {
            try? console.setWindowSize(columns: size.columns, rows: size.rows)
        }
    }

    func restore() {
        // A terminal that has gone away needs no restoring.
        try? saved?.restore(on: FileDescriptor.standardInput)
        console.discard()
    }

    /// Copies what there is, and returns when something happened on `other` too.
    func wait(besides other: FileDescriptor) throws -> ReadyEvents {
        var interests: [(descriptor: FileDescriptor, events: ReadyEvents)] = [(other, .readable)]
        if isConsoleOpen { interests.append((console, .readable)) }
        if isInputOpen { interests.append((FileDescriptor.standardInput, .readable)) }
        let events = try Poll.wait(for: interests)
        for (interest, happened) in zip(interests, events).dropFirst() where !happened.isEmpty {
            if interest.descriptor == console {
                isConsoleOpen = copyOutput()
            } else {
                isInputOpen = copyInput()
                // ^D, as a terminal would say it.
                if !isInputOpen { try? console.writeEntire([4]) }
            }
        }
        return events[0]
    }

    /// Copies what the program wrote before it ended.
    func drain() throws {
        while isConsoleOpen {
            let events = try Poll.wait(for: [(console, .readable)], milliseconds: 0)
            if events[0].isEmpty { return }
            isConsoleOpen = copyOutput()
        }
    }

    /// Copies from the process's terminal to standard output. Says whether there may be more to come.
    private func copyOutput() -> Bool {
        // A terminal whose other side is closed gives an error instead of an end.
        guard let bytes = try? console.readOnce(), !bytes.isEmpty else { return false }
        guard outputFailure == nil else { return true }
        do throws(Errno) { try FileDescriptor.standardOutput.writeEntire(bytes) } catch { outputFailure = error }
        return true
    }

    /// Copies from standard input to the process's terminal. Says whether there may be more to come.
    private func copyInput() -> Bool {
        // Input that cannot be read has ended.
        guard let bytes = try? FileDescriptor.standardInput.readOnce(), !bytes.isEmpty else { return false }
        do throws(Errno) { try console.writeEntire(bytes) } catch { return false }
        return true
    }
}
