import LinuxKernel
import SystemPackage

/// Where a created container waits for `start`, which may come from another process: two FIFOs in the container's
/// state directory.
///
/// The container's process waits for a byte on the first one. It holds the second one open for writing until it
/// executes its program (which closes it) or fails to (and writes why). Two, because a reader of the first can so tell
/// by the kernel alone whether anybody waits, and because the container's process needs no path for either of them,
/// having left the host's file system already.
struct StartGate {
    /// The names of both, which show in `/proc/<pid>/fd` and say there what they are for.
    static let orderName = "exec.fifo"
    static let answerName = "answer/exec.fifo"

    /// The ends that the container's process keeps.
    let order: FileDescriptor
    let answer: FileDescriptor

    /// Makes the gate in `directory`.
    init(in directory: FilePath) throws(RuntimeError) {
        let (order, answer) = try attempt("cannot make the start gate in \(directory)") {
            () throws(Errno) -> (FileDescriptor, FileDescriptor) in
            let handle = try Files.open(directory, [.path, .directory])
            defer { handle.discard() }
            try handle.makeDirectory("answer", mode: 0o700)
            for name in [Self.orderName, Self.answerName] { try handle.makeNode(name, mode: 0o010600) }
            // Opened for both, neither open waits for another side.
            let order = try handle.open(Self.orderName, .readWrite)
            do throws(Errno) {
                return (order, try handle.open(Self.answerName, .readWrite))
            } catch {
                order.discard()
                throw error
            }
        }
        self.order = order
        self.answer = answer
    }

    func close() {
        order.discard()
        answer.discard()
    }

    /// Waits for `start`. Called by the container's process.
    ///
    /// The first process of a pid namespace gets no signal that it does not handle. But a caller that sends a signal
    /// which ends programs wants the container to end, whether it is started or not.
    func wait() throws(RuntimeError) {
        let ending: [Int32] = [1, 2, 3, 15]
        let signals = SignalSet.all.subtracting((1...64).filter { !ending.contains($0) })
        try attempt("cannot wait for start") { () throws(Errno) in
            signals.block()
            let descriptor = try signals.makeDescriptor()
            defer { descriptor.discard() }
            let events = try Poll.wait(for: [(order, .readable), (descriptor, .readable)])
            if events[0].isEmpty, let (signal, _) = try Signals.next(from: descriptor) {
                ProcessControl.exit(128 + signal)
            }
            _ = try order.readToEnd(limit: 1)
            SignalSet().block()
        }
    }

    /// Tells `start` why the program could not be executed. Called by the container's process.
    func report(_ error: RuntimeError) {
        // If `start` has gone, nobody needs to know.
        try? answer.writeEntire(error.bytes)
    }

    /// Whether a container with its state in `directory` waits.
    static func exists(in directory: FilePath) -> Bool {
        Files.exists(directory.appending(orderName))
    }

    /// Lets the container waiting in `directory` go on, and waits until it has executed its program.
    ///
    /// - Parameter pidfd: The container's process.
    static func open(in directory: FilePath, process pidfd: PIDFD) throws(RuntimeError) {
        let answer: FileDescriptor
        do throws(Errno) {
            answer = try Files.open(directory.appending(answerName), [.readOnly, .nonBlocking])
            // Taken away first: of two callers of `start` one finds nothing.
            try Files.remove(directory.appending(answerName))
            try Files.removeDirectory(directory.appending("answer"))
        } catch .noSuchFileOrDirectory {
            throw RuntimeError(.conflict, "cannot start an already running container")
        } catch {
            throw RuntimeError(.system, "cannot open the start gate: \(error.words)")
        }
        defer { answer.discard() }
        do throws(Errno) {
            let order = try Files.open(directory.appending(orderName), [.writeOnly, .nonBlocking])
            defer { order.discard() }
            try Files.remove(directory.appending(orderName))
            try order.writeEntire([0])
        } catch  where error == .noSuchAddressOrDevice || error == .noSuchFileOrDirectory || error == .brokenPipe {
            throw RuntimeError(.conflict, "cannot start a container that has stopped")
        } catch {
            throw RuntimeError(.system, "cannot open the start gate: \(error.words)")
        }
        var message: [UInt8] = []
        while true {
            let events = try attempt("cannot wait for the container's program to begin") { () throws(Errno) in
                try Poll.wait(for: [(answer, .readable), (pidfd.descriptor, .readable)])
            }
            if events[0].isEmpty { break }
            // It is readable, or at its end.
            let more = try attempt("cannot read the start gate") { () throws(Errno) in
                try answer.readOnce(capacity: 8192)
            }
            message += more
            if more.isEmpty { break }
        }
        if !message.isEmpty { throw RuntimeError(bytes: message) }
    }
}
