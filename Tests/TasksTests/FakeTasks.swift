import BlockingCalls
import Glibc
import LinuxKernel
import Logging
import OCISpec
import ShimProtocol
import SystemPackage
import Tasks
import TemporaryDirectories
import Testing

/// Tasks in a directory of their own, run by the fake shim.
struct FakeTasks: Sendable {
    let directory: TemporaryDirectory
    let tasks: Tasks

    /// The directory of the programs under test.
    static let programs = FilePath(
        (try? FileDescriptor.workingDirectory.readSymlink("/proc/self/exe")) ?? ""
    ).removingLastComponent()

    /// Why these tests cannot run here; empty if they can.
    static let obstacle =
        Files.exists(programs.appending("FakeShim")) ? "" : "needs \(programs.appending("FakeShim"))"

    private static let pool = BlockingPool(threads: 4, name: "fake")

    /// `patience` is what the tests of shims that do not answer wait for.
    init(patience change: (inout ShimPatience) -> Void = { _ in }) throws {
        directory = try TemporaryDirectory()
        tasks = try Self.open(directory, change)
    }

    private static func open(
        _ directory: TemporaryDirectory, _ change: (inout ShimPatience) -> Void
    ) throws -> Tasks {
        var configuration = TasksConfiguration(
            directory: directory.path.appending("bundles"), shimProgram: programs.appending("FakeShim"))
        // Only tests of shims that do not answer want to reach it: a busy machine does not.
        configuration.patience.recovery = .seconds(120)
        change(&configuration.patience)
        return try Tasks(
            configuration, pool: pool, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Another user of the same directory, as after a crash of the first.
    func again(patience change: (inout ShimPatience) -> Void = { _ in }) throws -> Tasks {
        try Self.open(directory, change)
    }

    /// A task whose shim behaves as `annotations` say.
    func create(_ id: String = "one", _ annotations: [String: String] = [:]) async throws -> RunningTask {
        try await tasks.create(id) {
            var spec = Spec()
            spec.process = Process(args: ["sleep", "1000"])
            spec.annotations = annotations
            return TaskDescription(spec, rootMounts: [])
        }
    }

    /// Tells the fake shim to do something.
    func order(_ text: String, _ id: String = "one") throws {
        let control = try Files.open(tasks.bundle(of: id).appending("control"), [.writeOnly])
        defer { control.discard() }
        try control.writeEntire(Array((text + "\n").utf8))
    }

    /// What the fake shim has been asked.
    func requests(_ id: String = "one") -> [String] {
        let text = try? Files.readText(tasks.bundle(of: id).appending("requests"))
        return (text ?? "").split(separator: "\n").map(String.init)
    }
}

/// Waits until something is so; it is looked at again and again.
func eventually(_ condition: () throws -> Bool) async rethrows -> Bool {
    for _ in 0..<4000 {
        if try condition() { return true }
        // Cancelled tests look faster.
        try? await Task.sleep(for: .milliseconds(5))
    }
    return try condition()
}

/// Whether a process lives: a zombie does not.
func lives(_ pid: Int32) -> Bool {
    let text = (try? Files.readText(FilePath("/proc/\(pid)/stat"))) ?? ""
    guard let end = text.lastIndex(of: ")") else { return false }
    return text[end...].split(separator: " ").dropFirst().first != "Z"
}

/// The error that `body` throws.
func refusal<T>(_ body: () async throws -> T) async -> TaskError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? TaskError
    }
}
