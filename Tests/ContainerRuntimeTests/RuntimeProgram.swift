import Glibc
import LinuxKernel
import SystemPackage
import Testing

/// What needs root and a kernel. One after another: some tests look at what the whole machine has.
@Suite("container runtime", .serialized, .enabled(if: geteuid() == 0, "needs root"))
enum RuntimeTests {}

/// `masu-runtime`, run as any engine would. Not called in this process: it forks, and a test program has threads.
struct RuntimeProgram {
    /// What came of a run.
    struct Result: CustomStringConvertible {
        var code: Int32
        var output: String
        var errors: String

        /// The errors without the marks that a log's line puts before quotes.
        var said: String { errors.replacing("\\\"", with: "\"") }
        var lines: [String] { output.split(separator: "\n").map { $0.filter { $0 != "\r" } } }
        var description: String { "exit status \(code)\nout: \(output)\nerr: \(errors)" }
    }

    /// `MASU_BIN`, or beside this test program, where the same build has put it.
    static let directory: String = {
        if let directory = getenv("MASU_BIN") { return String(cString: directory) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &buffer, 4095))
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return FilePath(path).removingLastComponent().string
    }()

    static var path: String { directory + "/masu-runtime" }

    /// Runs the runtime to its end.
    static func run(
        _ arguments: [String], in directory: FilePath, descriptors: [(FileDescriptor, Int32)] = []
    ) throws -> Result {
        try run(path, arguments, in: directory, descriptors: descriptors)
    }

    /// Runs `program` to its end.
    static func run(
        _ program: String, _ arguments: [String], in directory: FilePath, descriptors: [(FileDescriptor, Int32)] = []
    ) throws -> Result {
        let output = try MemoryFile.create("output")
        let errors = try MemoryFile.create("errors")
        defer {
            output.discard()
            errors.discard()
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.rawValue, 2)
        for (descriptor, number) in descriptors {
            posix_spawn_file_actions_adddup2(&actions, descriptor.rawValue, number)
        }
        // A shell changes the directory: the library's own way to do that is not in the header as Swift sees it.
        let words = ["sh", "-c", "cd \"$0\" && exec \"$@\"", directory.string, program] + arguments
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
        defer { for pointer in argv + environment { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, "/bin/sh", &actions, nil, &argv, &environment)
        guard error == 0 else { throw Errno(rawValue: error) }
        let status = try ProcessControl.wait(for: pid)?.status
        func text(_ file: FileDescriptor) throws -> String {
            try file.seek(offset: 0, from: .start)
            return String(decoding: try file.readToEnd(), as: UTF8.self)
        }
        return Result(code: status?.code ?? -1, output: try text(output), errors: try text(errors))
    }
}
