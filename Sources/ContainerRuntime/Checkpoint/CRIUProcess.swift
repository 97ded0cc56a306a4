import LinuxKernel
import SystemPackage

/// A `criu swrk`: CRIU as a process of ours that does what it is asked for over a socket, and then ends.
struct CRIUProcess {
    let pid: Int32
    private let socket: FileDescriptor

    /// The number of the socket in CRIU's process; what else it gets follows.
    private static let socketNumber: Int32 = 3
    /// The number that the first of `descriptors` gets.
    static let firstDescriptor: Int32 = 4

    /// Starts CRIU.
    ///
    /// - Parameters:
    ///   - descriptors: What it gets beside its standard streams.
    ///   - streams: Its standard streams, where one that is not given is ours; `nil` is the null device for all.
    ///   - apart: Is done in the new process first, and makes it one of which CRIU takes its directories: it gives the
    ///     descriptors that come before the others. Without it the directories are this process's.
    static func start(
        descriptors: [FileDescriptor] = [], streams: StandardStreams? = nil,
        apart: (() throws(RuntimeError) -> [FileDescriptor])? = nil
    ) throws(RuntimeError) -> CRIUProcess {
        let program = try program()
        let (ours, theirs) = try attempt("socketpair") { () throws(Errno) in try UnixSocket.pair(.messages) }
        defer { theirs.discard() }
        do throws(RuntimeError) {
            let pid = try ForkedTask.start("cannot start criu") { () throws(RuntimeError) in
                let first = try apart?()
                try attempt("cannot pass descriptors to criu") { () throws(Errno) in
                    let socket = first == nil ? theirs : try replacement(of: theirs)
                    try pass([socket] + (first ?? []) + descriptors, streams: streams)
                }
                SignalSet().block()
                throw program.execute(arguments: ["criu", "swrk", "\(socketNumber)"])
            }
            guard apart != nil else { return CRIUProcess(pid: pid, socket: ours) }
            let sockets = try attempt("cannot connect to criu") { () throws(Errno) in
                try ours.receiveMessage(capacity: 1).descriptors
            }
            ours.discard()
            guard let socket = sockets.first else {
                throw RuntimeError(.system, "cannot start criu")
            }
            return CRIUProcess(pid: pid, socket: socket)
        } catch {
            ours.discard()
            throw error
        }
    }

    /// The host's program, not one of the container.
    private static func program() throws(RuntimeError) -> Program {
        let environment = ProcessAttributes.environment
        let path = environment.first { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) }
        do throws(RuntimeError) {
            return try Program.find("criu", path: path, environment: environment)
        } catch {
            throw RuntimeError(.system, "\(error.message): install CRIU (the package \"criu\")")
        }
    }

    /// A socket that the calling process has made, whose other end goes to the other end of `socket`.
    ///
    /// CRIU opens directories by `/proc/<pid>/fd` of the process that made the socket, and mounts in them. That works
    /// only in its own mount namespace.
    private static func replacement(of socket: FileDescriptor) throws(Errno) -> FileDescriptor {
        let (near, far) = try UnixSocket.pair(.messages)
        defer { near.discard() }
        try socket.sendMessage([0], descriptors: [near])
        return far
    }

    /// Gives what is passed on its numbers, which may be those of others until then; all else is closed by execve.
    private static func pass(_ all: [FileDescriptor], streams: StandardStreams?) throws(Errno) {
        // First, as their present numbers may be among those that are given away next.
        if let streams {
            for (number, stream) in [streams.input, streams.output, streams.error].enumerated() {
                try stream?.duplicate(onto: Int32(number))
            }
        }
        let above = socketNumber + Int32(all.count)
        var copies: [FileDescriptor] = []
        for descriptor in all { copies.append(try descriptor.duplicate(from: above)) }
        try Descriptors.closeOnExec(from: socketNumber)
        for (index, copy) in copies.enumerated() { try copy.duplicate(onto: socketNumber + Int32(index)) }
        guard streams == nil else { return }
        let null = try Files.open("/dev/null", .readWrite)
        for number in 0..<socketNumber { try null.duplicate(onto: number) }
    }

    /// Sends `request` and gives the last answer to it.
    ///
    /// - Parameter notified: Does what belongs to a step that CRIU has come to, before CRIU goes on. Owns the
    ///   descriptors.
    /// - Throws: also when CRIU fails, and when `notified` does; CRIU then has to be ended with `finish`.
    func ask(
        _ request: CRIURequest,
        notified: (CRIUResponse.Notification, [FileDescriptor]) throws(RuntimeError) -> Void = {
            (_, descriptors) throws(RuntimeError) in for descriptor in descriptors { descriptor.discard() }
        }
    ) throws(RuntimeError) -> CRIUResponse {
        try send(request)
        while true {
            let (bytes, descriptors) = try attempt("cannot wait for criu") { () throws(Errno) in
                try socket.receiveMessage()
            }
            guard !bytes.isEmpty else { throw RuntimeError(.system, "criu failed: it ended unexpectedly") }
            let response: CRIUResponse
            do throws(ProtocolBufferFields.Malformed) {
                response = try CRIUResponse(bytes)
            } catch {
                for descriptor in descriptors { descriptor.discard() }
                throw RuntimeError(.system, "criu failed: it sent an invalid response")
            }
            guard response.hasSucceeded else {
                for descriptor in descriptors { descriptor.discard() }
                let message = response.errorMessage.map { ": \($0)" } ?? ""
                throw RuntimeError(
                    .system, "criu failed: type \(response.kindName) errno \(response.errorNumber)\(message)")
            }
            guard response.kind == CRIURequest.Kind.notify.rawValue else {
                for descriptor in descriptors { descriptor.discard() }
                guard response.kind == request.kind.rawValue else {
                    throw RuntimeError(.system, "criu failed: it sent an unexpected response (\(response.kindName))")
                }
                return response
            }
            try notified(response.notification ?? .init(script: ""), descriptors)
            try send(CRIURequest(.notify, notificationSucceeded: true))
        }
    }

    private func send(_ request: CRIURequest) throws(RuntimeError) {
        do throws(Errno) {
            try socket.sendMessage(request.bytes)
        } catch  where error == .brokenPipe || error == .connectionReset {
            // It has ended; what it said before is still to be read.
        } catch {
            throw RuntimeError(.system, "cannot tell criu what to do: \(error)")
        }
    }

    /// Lets go of CRIU, which gives up what it has not finished, and waits for its end.
    @discardableResult
    func finish() throws(RuntimeError) -> ProcessControl.ExitStatus? {
        socket.discard()
        return try attempt("cannot wait for the end of criu") { () throws(Errno) in
            try ProcessControl.wait(for: pid)?.status
        }
    }

    // MARK: Short questions

    /// Which version there is: major × 10000 + minor × 100 + sublevel.
    static func version() throws(RuntimeError) -> Int32 {
        do throws(RuntimeError) {
            guard let version = try answer(to: CRIURequest(.version)).version else {
                throw RuntimeError(.system, "criu failed: it did not say its version")
            }
            return version
        } catch {
            throw RuntimeError(error.kind, "CRIU version check failed: \(error.message)")
        }
    }

    /// Makes sure that `features` can be had here.
    static func check(_ features: CRIUFeatures) throws(RuntimeError) {
        let present: CRIUFeatures
        do throws(RuntimeError) {
            present = try answer(to: CRIURequest(.featureCheck, features: features)).features ?? CRIUFeatures()
        } catch {
            throw RuntimeError(error.kind, "CRIU feature check failed: \(error.message)")
        }
        var missing: [String] = []
        if features.tracksMemory, !present.tracksMemory { missing.append("MemTrack") }
        if features.restoresLazily, !present.restoresLazily { missing.append("LazyPages") }
        if !missing.isEmpty {
            throw RuntimeError(.system, "criu is missing features: [\(missing.joined(separator: " "))]")
        }
    }

    private static func answer(to request: CRIURequest) throws(RuntimeError) -> CRIUResponse {
        let criu = try start()
        let response: CRIUResponse
        do throws(RuntimeError) {
            response = try criu.ask(request)
        } catch {
            // The first error is the one to tell.
            _ = try? criu.finish()
            throw error
        }
        try criu.finish()
        return response
    }
}
