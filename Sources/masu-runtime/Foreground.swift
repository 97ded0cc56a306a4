import ContainerRuntime
import Glibc
import LinuxKernel
import SystemPackage

/// Follows a process that this program started to its end: signals go to it, and between its terminal and ours
/// everything goes both ways.
///
/// To be made before the process is, so that no signal is missed.
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

    /// Waits for the end of `process`. Gives the exit status as a shell would.
    func follow(_ process: StartedProcess) throws -> Int32 {
        guard let console = process.console else { return try followWithoutTerminal(process.pid) }
        let relay = TerminalRelay(console: console)
        defer { relay.restore() }
        var status: ProcessControl.ExitStatus?
        while status == nil {
            let events = try relay.wait(besides: signals)
            if !events.isEmpty { status = try handleSignals(process.pid, console: console) }
        }
        try relay.drain()
        return status?.code ?? 0
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
                // Input that is no terminal has no size to pass on.
                // Not a terminal, no size.
                if let size = try? FileDescriptor.standardInput.windowSize() {
                    // The program may have just ended, and its terminal with it.
                    try? console?.setWindowSize(columns: size.columns, rows: size.rows)
                }
            case SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGPIPE:
                // About this program's own terminal, scheduling and pipes.
                continue
            default:
                // Sent by the terminal it has gone to the whole foreground group, of which a container is no member.
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

    init(console: FileDescriptor) {
        self.console = console
        let input = FileDescriptor.standardInput
        // Input that is no terminal has nothing to be saved.
        saved = try? TerminalAttributes(of: input)  // Fails if it is no terminal, and so is nothing to be restored.
        // With a terminal on this side it only passes on; all else is done by the one in the container.
        try? saved?.makeRaw(input)
        if let size = try? input.windowSize(), size.columns > 0 {
            try? console.setWindowSize(columns: size.columns, rows: size.rows)
        }
    }

    func restore() {
        // A terminal that has been closed meanwhile needs no restoring.
        // A terminal that has gone away needs nothing restored.
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
                isConsoleOpen = copy(from: console, to: .standardOutput)
            } else {
                isInputOpen = copy(from: .standardInput, to: console)
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
            isConsoleOpen = copy(from: console, to: .standardOutput)
        }
    }

    /// Whether there may be more to come.
    private func copy(from source: FileDescriptor, to target: FileDescriptor) -> Bool {
        // A terminal whose other side is closed gives an error instead of an end.
        guard let bytes = try? source.readOnce(), !bytes.isEmpty else { return false }
        do throws(Errno) { try target.writeEntire(bytes) } catch { return false }
        return true
    }
}
