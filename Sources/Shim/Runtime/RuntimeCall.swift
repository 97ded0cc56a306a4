import Glibc
import LinuxKernel
import ShimProtocol
import SystemPackage

/// One run of an external runtime's program, with a directory for what goes to it and comes from it.
final class RuntimeCall {
    /// The standard streams that the program passes on to a process it makes.
    typealias Streams = (input: FileDescriptor?, output: FileDescriptor?, error: FileDescriptor?)

    /// How much of what a runtime says is read.
    private static let textLimit = 1 << 20
    /// What is done, as the runtime's commands are called: `create`, `exec`, …
    let command: String
    private let program: ShimConfiguration.Runtime
    /// The program that is to be executed in the container, if one is.
    private let subject: String?
    private let directory: FilePath
    /// Whether the program does not see the kernel's parameters of networks, see `SandboxNetwork.hideParameters`.
    var hidesNetworkParameters = false
    private var console: FileDescriptor?
    private var consoleDirectory: FileDescriptor?
    /// The program's process; 0 before `begin`.
    private(set) var pid: Int32 = 0
    private var process: PIDFD?

    /// Makes the call's directory, which must not be another call's.
    init(
        _ command: String, of program: ShimConfiguration.Runtime, executing subject: String?, directory: FilePath
    ) throws(ShimError) {
        self.command = command
        self.subject = subject
        self.program = program
        self.directory = directory
        try attempt("mkdir \(directory)") { () throws(Errno) in try Files.makeDirectories(directory, mode: 0o700) }
    }

    deinit {
        process?.close()
        console?.discard()
        consoleDirectory?.discard()
        // What cannot be removed goes with the bundle.
        try? TreeRemoval.remove(directory)
    }

    // MARK: What goes in

    /// Where the program writes the pid of a process it makes. Some rename a file to this, so it has to be a real path.
    var pidFile: FilePath { directory.appending("pid") }
    /// Where it says in JSON what went wrong.
    var log: FilePath { directory.appending("log.json") }

    /// Writes something for the program to read; its path.
    func file(_ name: String, _ bytes: [UInt8]) throws(ShimError) -> FilePath {
        let file = directory.appending(name)
        try attempt("write \(file)") { () throws(Errno) in try Files.replace(file, with: bytes) }
        return file
    }

    /// Makes the socket by which the program hands over a terminal; its path.
    ///
    /// An address holds 107 bytes and a bundle's path may be longer, so the path is by way of a descriptor of this
    /// process.
    func consoleSocket() throws(ShimError) -> FilePath {
        try attempt("cannot make a socket for the terminal") { () throws(Errno) in
            let handle = try Files.open(directory, [.path, .directory])
            consoleDirectory = handle
            console = try UnixSocket.listen(at: handle.procPath.appending("tty"), nonBlocking: true)
            return FilePath("/proc/\(getpid())/fd/\(handle.rawValue)/tty")
        }
    }

    // MARK: Running

    /// Executes the program with the flags `global`, those of its configuration, the command and the command's
    /// `arguments`.
    func begin(
        global: [String], arguments: [String], streams: Streams? = nil, score: Int? = nil
    ) throws(ShimError) {
        let words = [program.path] + global + program.arguments + [command] + arguments
        let environment = ProcessAttributes.environment
        let program = program
        let hidesNetworkParameters = hidesNetworkParameters
        let failure = directory.appending("failure")
        let (input, output, error) = try open(streams)
        defer { for descriptor in [input, output, error] { descriptor.discard() } }
        try attempt("cannot start \(program.path)") { () throws(Errno) in
            switch try ProcessControl.fork(wantsPIDFD: true) {
            case .parent(let pid, let process):
                self.pid = pid
                self.process = process.map { PIDFD(descriptor: $0) }
            case .child:
                do throws(Errno) {
                    // With the shim nobody would be left who waits for what it does.
                    try ProcessAttributes.setParentDeathSignal(SIGKILL)
                    // A group of its own, which can be killed as a whole.
                    try ProcessAttributes.startSession()
                    try input.duplicate(onto: 0)
                    try output.duplicate(onto: 1)
                    try error.duplicate(onto: 2)
                    try Descriptors.close(from: 3)
                    Signals.resetAll()
                    SignalSet([]).block()
                    if hidesNetworkParameters { try SandboxNetwork.hideParameters() }
                    // The kernel refuses this to unprivileged users, whose score was not lowered either.
                    if let score { try? OutOfMemoryScore.set(score) }
                    throw ProcessControl.execute(program.path, arguments: words, environment: environment)
                } catch {
                    // The only way left to say so.
                    try? Files.write("\(error)", to: failure)
                    ProcessControl.exit(127)
                }
            }
        }
    }

    /// Copies above the numbers of the standard streams, where they cannot be overwritten by one another.
    private func open(_ streams: Streams?) throws(ShimError) -> (FileDescriptor, FileDescriptor, FileDescriptor) {
        try attempt("cannot prepare to start \(program.path)") { () throws(Errno) in
            // This one is written by a process that can do little.
            try Files.replace(directory.appending("failure"), with: [])
            return (
                try stream(streams?.input, or: "/dev/null", .readOnly),
                try stream(streams?.output, or: directory.appending("output"), [.writeOnly, .create, .append]),
                try stream(streams?.error, or: directory.appending("errors"), [.writeOnly, .create, .append])
            )
        }
    }

    private func stream(
        _ given: FileDescriptor?, or file: FilePath, _ flags: OpenFlags
    ) throws(Errno) -> FileDescriptor {
        if let given { return try given.duplicate(from: 3) }
        return try Files.open(file, flags, mode: 0o600)
    }

    /// Waits for the end: the exit code, or `nil` if it takes longer than `milliseconds`.
    func wait(milliseconds: Int64) -> Int32? {
        guard let process else { return nil }
        // Fails only for want of memory, which is as good as a runtime that does not answer.
        let ended = try? Poll.wait(for: [(process.descriptor, .readable)], milliseconds: Int32(clamping: milliseconds))
        guard ended?.first?.isEmpty == false else { return nil }
        // Nobody else waits for it.
        return (try? ProcessControl.wait(for: pid))??.status.code ?? 1
    }

    /// Kills the program and whatever it has started and not set free. Only for one that has not been waited for: until
    /// then its number, and the group's, is nobody else's.
    func kill() {
        try? Signals.send(SIGKILL, to: -pid)  // Fails if it has ended.
        try? process?.send(signal: SIGKILL)  // As above, or it has been killed before it had a group.
    }

    // MARK: What comes out

    /// What the program has written to its standard output.
    var output: [UInt8] { read("output") }

    private func read(_ name: String) -> [UInt8] {
        // A program that has written nothing has nothing to say.
        (try? Files.read(directory.appending(name), limit: Self.textLimit)) ?? []
    }

    /// The pid in the pid file.
    func writtenPID() throws(ShimError) -> Int32 {
        let text = String(decoding: read("pid"), as: UTF8.self).filter { !$0.isWhitespace }
        guard let pid = Int32(text), pid > 0 else {
            throw ShimError(.system, "\(program.name) \(command) did not write the process id", operation: command)
        }
        return pid
    }

    /// The master side of the terminal that the program has sent.
    func takeConsole() throws(ShimError) -> FileDescriptor? {
        guard let console else { return nil }
        do throws(Errno) {
            let connection = try console.acceptConnection()
            defer { connection.discard() }
            // It has been sent: the program would not have ended with success else.
            guard try !Poll.wait(for: [(connection, .readable)], milliseconds: 1000)[0].isEmpty else {
                throw .timedOut
            }
            let descriptors = try connection.receiveMessage(capacity: 4096).descriptors
            for descriptor in descriptors.dropFirst() { descriptor.discard() }
            guard let master = descriptors.first else { throw .noData }
            return master
        } catch {
            throw ShimError(
                .system, "\(program.name) \(command) did not send the terminal: \(error)", operation: command)
        }
    }

    /// Why the program ended with `code`. `streamed` is what it has written to a stream that is not its own.
    func failure(_ code: Int32, streamed: [UInt8] = []) -> ShimError {
        let errno = String(decoding: read("failure"), as: UTF8.self)
        if !errno.isEmpty {
            return ShimError(
                .system, "fork/exec \(program.path): \(RuntimeMessage.lowercasingErrors(errno))",
                operation: command)
        }
        let message =
            RuntimeMessage.inLog(read("log.json")) ?? RuntimeMessage.inText(streamed + read("errors"))
            ?? "\(command): \(code > 128 ? "killed by signal \(code - 128)" : "exit status \(code)")"
        return RuntimeMessage.error(message, of: program.name, operation: command, running: subject)
    }

    /// That it took too long.
    func timeout(_ milliseconds: Int64) -> ShimError {
        ShimError(
            .system, "\(program.name) \(command) did not finish within \(milliseconds / 1000) s", operation: command)
    }
}
