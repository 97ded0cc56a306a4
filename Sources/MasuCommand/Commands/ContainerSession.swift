import EngineAPIModel
import Glibc
import JSON
import Text

/// This program's terminal and signals joined to one container until it ends or is detached from: the common part of
/// `run`, `start -a` and `attach`.
struct ContainerSession {
    let client: DaemonClient
    let id: String
    /// Whether the container has a terminal.
    let tty: Bool
    let stdin: Bool
    let stdout: Bool
    let stderr: Bool
    let detachKeys: DetachKeys
    /// Whether signals go to the container.
    let proxiesSignals: Bool
    /// The condition to wait for: `next-exit`, `removed`, or nil for a container that already runs.
    let condition: String?

    /// How `start` failed, so that callers can tell it from the rest.
    struct NotStarted: Error {
        let underlying: any Error
    }

    /// Attaches, starts, copies streams and waits.
    ///
    /// - Parameter start: starts the container; called once everything is in place to see all of it, with what to do
    ///   while waiting for an answer.
    /// - Returns: the container's exit status, nil when detached.
    /// - Throws: ``NotStarted``, or what went wrong with the streams.
    func run(start: (_ wait: @escaping (Int32) -> Void) throws -> Void) throws -> Int32? {
        var terminal: RawTerminal?
        defer { terminal?.restore() }
        let resizer = tty ? WindowResizer { size in try resize(size) } : nil
        let attaching = try client.beginHijack(
            HTTPRequest(
                "POST", "/containers/\(id)/attach",
                query: [
                    ("stream", "1"), ("stdin", stdin ? "1" : nil), ("stdout", stdout ? "1" : nil),
                    ("stderr", stderr ? "1" : nil), ("detachKeys", detachKeys.text.isEmpty ? nil : detachKeys.text),
                ]))
        let waiting = try client.beginOpen(
            HTTPRequest("POST", "/containers/\(id)/wait", query: [("condition", condition)]))
        let stream = try client.open(attaching)
        let end = try client.open(waiting)
        let signals = try relay(resizer) { terminal?.restore() }
        do {
            try start { descriptor in signals?.hold(until: descriptor) }
            signals?.release()
        } catch {
            waitBriefly(for: end)
            throw NotStarted(underlying: error)
        }
        if tty, stdin { terminal = RawTerminal() }
        resizer?.resize()

        let session = StreamSession(
            stream: stream, tty: tty, forwardsInput: stdin,
            detachKeys: tty && stdin ? detachKeys : .none,
            signals: signals, resizer: resizer)
        let ending = try session.run()
        terminal?.restore()
        if ending == .detached { return nil }
        return try status(end, signals)
    }

    private func relay(_ resizer: WindowResizer?, restore: @escaping () -> Void) throws -> SignalRelay? {
        guard tty || proxiesSignals else { return nil }
        let numbers = proxiesSignals ? SignalNames.forwarded.map(\.number) : SignalNames.fatal
        return try SignalRelay(Array(Set(numbers + (tty ? [SIGWINCH, SIGPIPE] : [SIGPIPE])))) { number in
            if tty, number == SIGWINCH {
                resizer?.resize()
                return
            }
            // As with docker, the write that failed is the error; the container is not the one to get the signal.
            if number == SIGPIPE { return }
            guard proxiesSignals else {
                restore()
                SignalRelay.die(of: number)
            }
            guard let name = SignalNames.forwarded.first(where: { $0.number == number })?.name else { return }
            // The container may have ended a moment ago; then there is no process to get the signal.
            _ = try? client.call(HTTPRequest("POST", "/containers/\(id)/kill", query: [("signal", name)]))
        }
    }

    private func resize(_ size: Terminal.Size) throws {
        try client.call(
            HTTPRequest(
                "POST", "/containers/\(id)/resize", query: [("h", String(size.rows)), ("w", String(size.columns))]))
    }

    private func status(_ end: HTTPResponse, _ signals: SignalRelay?) throws -> Int32 {
        if end.connection.buffered.isEmpty { signals?.wait(for: end.connection.descriptor) }
        let answer: ContainerWaitResponse
        do {
            answer = try JSON.decode(ContainerWaitResponse.self, from: try end.readAll())
        } catch {
            throw CommandError("error waiting for container: \(describe(error))", status: 125)
        }
        if let failure = answer.error, !failure.message.isEmpty {
            throw CommandError("error waiting for container: \(failure.message)", status: 125)
        }
        return Int32(truncatingIfNeeded: answer.statusCode)
    }

    /// The daemon removes an `--rm` container that could not start. Waits for that, so that the container is gone when
    /// this program ends.
    private func waitBriefly(for end: HTTPResponse) {
        guard condition == "removed" else { return }
        var entry = pollfd(fd: end.connection.descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&entry, 1, 10_000)
    }
}
