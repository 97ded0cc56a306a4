import LinuxKernel
import SystemPackage

/// One end of the connection between the runtime and the process it is making, which is a socket that keeps messages
/// apart. The new process's end is closed when it executes its program: that is how the runtime knows it has.
struct InitChannel {
    /// What the new process tells the runtime.
    enum Report {
        /// It cannot go on.
        case failure(RuntimeError)
        /// It has made the process that takes its place; `needsGroup`: which is not in its control group yet.
        case replaced(by: Int32, needsGroup: Bool)
        /// Here is the master side of the terminal.
        case console(FileDescriptor)
        /// It needs the source of this mount of the configuration (`MountSources`).
        case sourceRequest(Int)
        /// It is under its filter; the descriptor with this number, in that process, answers the filter's questions.
        case listening(Int32)
        /// All namespaces and mounts are there; hooks can run now.
        case readyForHooks
        /// Everything is done up to the start.
        case ready
        /// It has executed its program, or has ended.
        case closed
    }

    /// What the runtime tells the new process.
    enum Order {
        /// The control group exists (and the user namespace has its ids).
        case enterCgroup
        /// Hooks have run.
        case hooksDone
        /// Limits are set; here is the system call filter, if there is one.
        case goOn(filter: [UInt8])
        /// The runtime has its own copy of the filter's listener.
        case listenerTaken
        /// The runtime has given up.
        case closed
    }

    let socket: FileDescriptor
    /// Where the sources of mounts come from, if the container's process may have to ask for some: a connection of its own,
    /// because orders may be under way already.
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

    func send(_ order: Order) throws(RuntimeError) {
        let message: [UInt8] =
            switch order {
            case .enterCgroup: [UInt8(ascii: "G")]
            case .hooksDone: [UInt8(ascii: "H")]
            case .listenerTaken: [UInt8(ascii: "T")]
            case .goOn(let filter): [UInt8(ascii: "L")] + filter
            case .closed: []
            }
        do throws(Errno) {
            try socket.sendMessage(message)
        } catch  where error == .brokenPipe || error == .connectionReset {
            // The process has ended; what it said before is still to be read, and says why.
        } catch {
            throw RuntimeError(.system, "cannot tell the container's process to go on: \(error.words)")
        }
    }

    /// The next report; warnings before it go to the log.
    func nextReport() throws(RuntimeError) -> Report {
        while true {
            let (bytes, descriptors) = try receiveReport()
            guard bytes.first == UInt8(ascii: "W") else { return Self.report(bytes, descriptors) }
            log?.warn(String(decoding: bytes.dropFirst(), as: UTF8.self))
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

    private static func report(_ bytes: [UInt8], _ descriptors: [FileDescriptor]) -> Report {
        switch bytes.first {
        case UInt8(ascii: "E"): return .failure(error(bytes.dropFirst()))
        case UInt8(ascii: "C") where descriptors.count == 1: return .console(descriptors[0])
        case UInt8(ascii: "P") where bytes.count == 6:
            let pid = bytes[2...].reduce(0) { $0 << 8 | Int32($1) }
            return .replaced(by: pid, needsGroup: bytes[1] != 0)
        case UInt8(ascii: "M") where bytes.count == 3: return .sourceRequest(Int(bytes[1]) << 8 | Int(bytes[2]))
        case UInt8(ascii: "S") where bytes.count == 5:
            return .listening(bytes[1...].reduce(0) { $0 << 8 | Int32($1) })
        case UInt8(ascii: "N"): return .readyForHooks
        case UInt8(ascii: "R"): return .ready
        default: return .closed
        }
    }

    // MARK: The process's side

    func report(_ letter: Character, descriptors: [FileDescriptor] = []) throws(RuntimeError) {
        let message = [letter.asciiValue ?? 0]
        try attempt("cannot report to the runtime") { () throws(Errno) in
            try socket.sendMessage(message, descriptors: descriptors)
        }
    }

    /// Sends a warning to the runtime.
    func warn(_ message: String) {
        // A warning that nobody takes is no reason to stop.
        _ = try? socket.sendMessage([UInt8(ascii: "W")] + Array(message.utf8.prefix(8192)))
    }

    func reportReplacement(by pid: Int32, needsGroup: Bool) throws(RuntimeError) {
        let message =
            [UInt8(ascii: "P"), needsGroup ? 1 : 0] + (0..<4).reversed().map { UInt8(pid >> ($0 * 8) & 0xff) }
        try attempt("cannot report to the runtime") { () throws(Errno) in try socket.sendMessage(message) }
    }

    /// Has the runtime take its copy of `listener`, and waits until it has.
    ///
    /// The filter is in force already and may ask about any system call but write, while nobody is there to answer: so
    /// the descriptor's number goes by write, where sendmsg could not send the descriptor.
    func hand(over listener: FileDescriptor) throws(RuntimeError) {
        let number = listener.rawValue
        let message = [UInt8(ascii: "S")] + (0..<4).reversed().map { UInt8(number >> ($0 * 8) & 0xff) }
        try attempt("cannot report to the runtime") { () throws(Errno) in try socket.writeEntire(message) }
        guard case .listenerTaken = try nextOrder() else {
            throw RuntimeError(.system, "the runtime sent orders in the wrong order")
        }
    }

    func report(_ error: RuntimeError) {
        // If nobody listens any more, nobody needs to know.
        _ = try? socket.sendMessage([UInt8(ascii: "E")] + Self.bytes(of: error))
    }

    func nextOrder() throws(RuntimeError) -> Order {
        let bytes = try attempt("cannot wait for the runtime") { () throws(Errno) in
            // The largest filter the kernel takes has 4096 instructions of 8 bytes.
            try socket.receiveMessage(capacity: 33 * 1024).bytes
        }
        switch bytes.first {
        case UInt8(ascii: "G"): return .enterCgroup
        case UInt8(ascii: "H"): return .hooksDone
        case UInt8(ascii: "T"): return .listenerTaken
        case UInt8(ascii: "L"): return .goOn(filter: Array(bytes.dropFirst()))
        default: throw RuntimeError(.system, "the runtime gave up")
        }
    }

    // MARK: Errors as bytes

    /// The kind, the stage and the message, with null bytes between them.
    static func bytes(of error: RuntimeError) -> [UInt8] {
        let words = [error.kind.rawValue, error.at(.initialization).stage.rawValue, error.message]
        return Array(words.map { $0.utf8.prefix(8192) }.joined(separator: [0]))
    }

    static func error(_ bytes: some Collection<UInt8>) -> RuntimeError {
        let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard parts.count == 3, let kind = RuntimeError.Kind(rawValue: parts[0]) else {
            return RuntimeError(.system, "unreadable error")
        }
        return RuntimeError(kind, parts[2]).at(RuntimeError.Stage(rawValue: parts[1]) ?? .initialization)
    }
}
