import DaemonLog
import BuildInformation
import Flags
import Glibc
import LinuxKernel
import Logging
import SystemPackage

/// The daemon's entry point: reads flags and file, sets up logs and signals, and runs a `Daemon`.
@main
enum Masud {
    static func main() {
        Descriptors.secureStandardStreams()
        // Before there is a second thread: all threads are to hold these signals back, so that this one can wait for
        // them.
        SignalSet(watched).block()
        Signals.ignore(SIGPIPE)
        limitMemory()
        let (signals, continuation) = AsyncStream.makeStream(of: Int32.self)
        // Detached: the main actor's thread is taken.
        Task.detached {
            let status = await status(of: Array(CommandLine.arguments.dropFirst()), signals)
            exit(status)
        }
        var set = sigset_t()
        sigemptyset(&set)
        for signal in watched { sigaddset(&set, signal) }
        var signal: Int32 = 0
        // Fails only for a set that is none.
        while sigwait(&set, &signal) == 0 { continuation.yield(signal) }
    }

    private static func status(of arguments: [String], _ signals: AsyncStream<Int32>) async -> Int32 {
        do {
            return try await run(arguments, signals)
        } catch let error as UsageError {
            complain(error.description)
            return error.exitStatus
        } catch {
            complain("masud: \(error)")
            return 1
        }
    }

    private static func run(_ arguments: [String], _ signals: AsyncStream<Int32>) async throws -> Int32 {
        let invocation = try DaemonFlags.command.parse(arguments)
        if invocation.wantsHelp {
            try StandardOutput.print(invocation.help())
            return 0
        }
        if invocation.flags[DaemonFlags.version] {
            try StandardOutput.print("Masu version \(MasuVersion.version), API \(MasuVersion.apiVersion)")
            return 0
        }
        let configuration = try DaemonConfiguration(arguments: arguments)
        if configuration.flags[DaemonFlags.validate] {
            complain("configuration OK")
            return 0
        }
        guard geteuid() == 0 else {
            throw StartError(
                "masud must run as root, because it makes namespaces, mounts and control groups. Try: sudo masud"
            )
        }
        let output = LogOutput(
            format: configuration.flags[DaemonFlags.logFormat] == "json" ? .json : .text,
            level: LogOutput.level(named: configuration.logLevel))
        LoggingSystem.bootstrap { label in StructuredLogHandler(output: output, label: label) }
        umask(0o022)
        let daemon = try await Daemon.start(configuration, logger: Logger(label: ""))
        await daemon.run(signals, output: output, arguments: arguments)
        return 0
    }

    private static let watched: [Int32] = [SIGTERM, SIGINT, SIGHUP]

    /// The allocator makes an arena of its own for each thread, up to eight times the processors, and keeps what they
    /// free. A daemon that is idle most of the time does better with two.
    private static func limitMemory() {
        typealias Function = @convention(c) (CInt, CInt) -> CInt
        // <malloc.h> is not part of what Swift sees of the C library.
        guard let symbol = dlsym(nil, "mallopt") else { return }
        let set = unsafeBitCast(symbol, to: Function.self)
        let arenaMaximum: CInt = -8
        let trimThreshold: CInt = -1
        _ = set(arenaMaximum, 2)
        _ = set(trimThreshold, 128 << 10)
    }

    private static func complain(_ text: String) {
        // There is nowhere to report that standard error is closed.
        try? FileDescriptor.standardError.writeEntire(Array((text + "\n").utf8))
    }
}
