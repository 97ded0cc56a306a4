import LinuxKernel
import SystemPackage

/// One end of the connection between the runtime and the process it is making, which is a socket that keeps messages
/// apart. The new process's end is closed when it executes its program: that is how the runtime knows it has.
struct InitChannel {
    let socket: FileDescriptor
    /// Where the sources of mounts come from, if the container's process may have to ask for some: a connection of its
    /// own, because orders may be under way already.
    var sources: FileDescriptor?
    /// Where the runtime's side writes what the process warns of.
    var log: RuntimeLog?

    static func pair() throws(RuntimeError) -> (runtime: InitChannel, process: InitChannel) {
        let (first, second) = try attempt("socketpair") { () throws(Errno) in try UnixSocket.pair(.messages) }
        return (InitChannel(socket: first), InitChannel(socket: second))
    }

    func close() {
        socket.discard()
        sources?.discard()
    }

    // MARK: The runtime's side

    func send(_ order: InitOrder) throws(RuntimeError) {
        do throws(Errno) {
            try socket.sendMessage(order.bytes)
        } catch  where error == .brokenPipe || error == .connectionReset {
            // The process has ended; what it said before is still to be read, and says why.
        } catch {
            throw RuntimeError(.system, "cannot tell the container's process to go on: \(error.words)")
        }
    }

    /// The next report, warnings apart, which go to the log; `nil` when the process has executed its program, or has
    /// ended.
    func nextReport() throws(RuntimeError) -> InitReport? {
        while true {
            let (bytes, descriptors) = try receiveReport()
            guard let report = InitReport(bytes, descriptors) else { return nil }
            guard case .warning(let text) = report else { return report }
            log?.warn(text)
        }
    }

    private func receiveReport() throws(RuntimeError) -> (bytes: [UInt8], descriptors: [FileDescriptor]) {
        try attempt("cannot wait for the container's process") { () throws(Errno) in
            do throws(Errno) {
                return try socket.receiveMessage(capacity: 16384)
            } catch .connectionReset {
                // The process has ended without reading an order of ours. The kernel says so once, and before it gives
                // out what the process had sent: why it ended.
                return try socket.receiveMessage(capacity: 16384)
            }
        }
    }

    // MARK: The process's side

    func report(_ report: InitReport) throws(RuntimeError) {
        try attempt("cannot report to the runtime") { () throws(Errno) in
            try socket.sendMessage(report.bytes, descriptors: report.descriptors)
        }
    }

    /// Sends a warning to the runtime.
    func warn(_ message: String) {
        // A warning that nobody takes is no reason to stop.
        try? report(.warning(message))
    }

    /// Says why the process ends.
    func fail(_ error: RuntimeError) {
        // If nobody listens any more, nobody needs to know.
        try? report(.failure(error))
    }

    /// Has the runtime take its copy of `listener`, and waits until it has.
    ///
    /// The filter is in force already and may ask about any system call but write, while nobody is there to answer: so
    /// the descriptor's number goes by write, where sendmsg could not send the descriptor.
    func hand(over listener: FileDescriptor) throws(RuntimeError) {
        let report = InitReport.listening(listener.rawValue)
        try attempt("cannot report to the runtime") { () throws(Errno) in try socket.writeEntire(report.bytes) }
        guard case .listenerTaken = try nextOrder() else {
            throw RuntimeError(.system, "the runtime sent orders in the wrong order")
        }
    }

    /// The next order. If the runtime gave up, this throws.
    func nextOrder() throws(RuntimeError) -> InitOrder {
        let bytes = try attempt("cannot wait for the runtime") { () throws(Errno) in
            try socket.receiveMessage(capacity: InitOrder.longest).bytes
        }
        guard let order = InitOrder(bytes) else { throw RuntimeError(.system, "the runtime gave up") }
        return order
    }

    /// Asks the runtime for the source of the configuration's mount number `index`.
    func source(ofMount index: Int) throws(RuntimeError) -> FileDescriptor {
        guard let sources else { throw RuntimeError(.system, "the runtime cannot open sources of mounts") }
        try report(.sourceRequest(index))
        let (bytes, descriptors) = try attempt("cannot ask the runtime for a mount's source") { () throws(Errno) in
            try sources.receiveMessage(capacity: 16384)
        }
        switch SourceAnswer(bytes, descriptors) {
        case .tree(let tree): return tree
        case .failure(let error): throw error
        case nil: throw RuntimeError(.system, "the runtime gave up")
        }
    }
}
