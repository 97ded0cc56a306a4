import BuildInformation
import DaemonLog
import Flags
import Glibc
import HTTPServing
import LinuxKernel
import Logging
import NIOPosix
import Registry
import SystemPackage

/// The registry's entry point: flags, logs, signals; then a server until it is told to stop.
@main
enum RegistryProgram {
    static func main() {
        Descriptors.secureStandardStreams()
        // Before there is a second thread: all threads are to hold these signals back, so that this one can wait for
        // them.
        SignalSet([SIGTERM, SIGINT]).block()
        Signals.ignore(SIGPIPE)
        let (signals, continuation) = AsyncStream.makeStream(of: Int32.self)
        // Detached: the main actor's thread is taken.
        Task.detached {
            exit(await status(of: Array(CommandLine.arguments.dropFirst()), signals))
        }
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
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
            complain("masu-registry: \(error)")
            return 1
        }
    }

    private static func run(_ arguments: [String], _ signals: AsyncStream<Int32>) async throws -> Int32 {
        let invocation = try RegistryFlags.command.parse(arguments)
        let flags = invocation.flags
        if invocation.wantsHelp {
            try StandardOutput.print(invocation.help())
            return 0
        }
        if flags[RegistryFlags.version] {
            try StandardOutput.print("masu-registry version \(MasuVersion.version)")
            return 0
        }
        let output = LogOutput(
            format: flags[RegistryFlags.logFormat] == "json" ? .json : .text,
            level: LogOutput.level(named: flags[RegistryFlags.logLevel]))
        let logger = Logger(label: "") { _ in StructuredLogHandler(output: output, label: "") }
        let root = FilePath(flags[RegistryFlags.root])
        try makeDirectory(root)
        let grace = Int64(flags[RegistryFlags.grace]) * 60
        if invocation.command.name == "collect" {
            let store = try Self.store(root, logger)
            let report = try await store.collect(grace: grace, removesUntagged: flags[RegistryFlags.untagged])
            try StandardOutput.print(
                "removed \(report.manifests) manifests and \(report.blobs) blobs, \(report.freed) bytes")
            return 0
        }
        let service = try await RegistryService(flags: flags, root: root, logger: logger)
        try await service.run {
            for await _ in signals { return }
        }
        return 0
    }

    private static func makeDirectory(_ path: FilePath) throws {
        guard path.withPlatformString({ mkdir($0, 0o700) }) != 0 else { return }
        let error = Errno(rawValue: errno)
        guard error == .fileExists else { throw ProgramError("cannot make the directory \(path) (--root): \(error)") }
        do {
            guard try FileStatus.of(path).kind == .directory else { throw Errno.notDirectory }
        } catch {
            throw ProgramError("cannot use \(path) as --root: \(error)")
        }
    }

    /// Opens what is below the root.
    ///
    /// - Throws: `ProgramError` with the path.
    static func store(_ root: FilePath, _ logger: Logger) throws -> RegistryStore {
        do {
            return try RegistryStore(root: root, logger: logger)
        } catch {
            throw ProgramError("cannot use \(root) as --root: \(error)")
        }
    }

    private static func complain(_ text: String) {
        // There is nowhere to report that standard error is closed.
        try? FileDescriptor.standardError.writeEntire(Array((text + "\n").utf8))
    }
}

/// Why the registry does not start.
struct ProgramError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
