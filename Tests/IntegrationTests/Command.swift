import Foundation
import Testing

/// A program with its arguments, run with its output in files.
///
/// Not Foundation's `Process`: a daemon that a command leaves behind inherits what that waits for, and a terminal needs
/// a session of its own. Output goes to files, not pipes, for the same reason: a reader of a pipe waits for the last
/// holder.
struct Command {
    var path: String
    var arguments: [String]
    /// The whole environment of the program.
    var environment: [String: String] = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    /// What is on its standard input; nothing by default.
    var input: [UInt8] = []
    /// A file as its standard input instead of `input`.
    var inputFile: String?

    init(_ path: String, _ arguments: String...) {
        self.init(path, arguments)
    }

    init(_ path: String, _ arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// What came of a command.
    struct Result: CustomStringConvertible {
        var commandLine: String
        /// The exit code, or 128 + the signal.
        var code: Int32
        var output: String
        var errors: String

        /// The output without the line's end.
        var line: String { output.trimmingCharacters(in: .newlines) }
        var lines: [String] { output.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) }

        var description: String {
            "\(commandLine) → \(code)\nout: \(output.suffix(2000))\nerr: \(errors.suffix(2000))"
        }
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    var commandLine: String {
        let words = [URL(fileURLWithPath: path).lastPathComponent] + arguments
        let line = words.joined(separator: " ")
        return line.count > 300 ? line.prefix(300) + "…" : line
    }

    /// Runs to the end.
    ///
    /// - Throws: ``Failure`` when it does not end in time (it is killed then) or cannot be started.
    func runToEnd(timeout: Double = 180) throws -> Result {
        let running = try start()
        return try running.waitForEnd(timeout: timeout)
    }

    /// Starts it and returns at once.
    func start(terminal: String? = nil) throws -> RunningCommand {
        let output = try TemporaryFile()
        let errors = try TemporaryFile()
        let inputPath: String
        var ownInput: TemporaryFile?
        if let inputFile {
            inputPath = inputFile
        } else if input.isEmpty {
            inputPath = "/dev/null"
        } else {
            let file = try TemporaryFile(containing: input)
            ownInput = file
            inputPath = file.path
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            // Opened by the leader of a new session, it becomes its controlling terminal: resizing then sends SIGWINCH.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, inputPath, O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, output.path, O_WRONLY | O_APPEND, 0)
            posix_spawn_file_actions_addopen(&actions, 2, errors.path, O_WRONLY | O_APPEND, 0)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        // 0x80 is POSIX_SPAWN_SETSID, which glibc only shows to those who define _GNU_SOURCE.
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) | 0x80)

        var pid: pid_t = 0
        let argv = ([path] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for pointer in argv + envp { free(pointer) }
        }
        let error = posix_spawn(&pid, path, &actions, &attributes, argv, envp)
        guard error == 0 else { throw Failure(description: "\(path): \(String(cString: strerror(error)))") }
        return RunningCommand(
            pid: pid, commandLine: commandLine, output: output, errors: errors, input: ownInput)
    }
}

/// A command that has been started. It is killed when the last reference to it goes.
final class RunningCommand {
    let pid: pid_t
    let commandLine: String
    let output: TemporaryFile
    let errors: TemporaryFile
    private let input: TemporaryFile?
    private var status: Int32?

    init(pid: pid_t, commandLine: String, output: TemporaryFile, errors: TemporaryFile, input: TemporaryFile?) {
        self.pid = pid
        self.commandLine = commandLine
        self.output = output
        self.errors = errors
        self.input = input
    }

    deinit {
        if !hasEnded {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
    }

    /// Asks once, without waiting.
    var hasEnded: Bool {
        if status != nil { return true }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return false }
        self.status = status
        return true
    }

    func send(_ signal: Int32) {
        if !hasEnded { kill(pid, signal) }
    }

    func waitForEnd(timeout: Double = 180) throws -> Command.Result {
        let deadline = Date().addingTimeInterval(timeout)
        var pause: UInt32 = 500
        while !hasEnded {
            if Date() > deadline {
                kill(pid, SIGKILL)
                waitpid(pid, nil, 0)
                status = SIGKILL
                throw Command.Failure(
                    description: "\(commandLine): not ended after \(Int(timeout)) s\nout: \(output.text.suffix(2000))\n"
                        + "err: \(errors.text.suffix(2000))")
            }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
        let status = self.status ?? 0
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
        return Command.Result(commandLine: commandLine, code: code, output: output.text, errors: errors.text)
    }
}

/// A file that goes with its last reference.
final class TemporaryFile: Sendable {
    let path: String

    init(containing bytes: [UInt8] = []) throws {
        var template = Array("/tmp/masu-output.XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw Command.Failure(description: "mkstemp: \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        if !bytes.isEmpty { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    }

    deinit { remove() }

    func remove() { unlink(path) }

    var bytes: [UInt8] { FileManager.default.contents(atPath: path).map(Array.init) ?? [] }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Waits until something is so.
///
/// The time is only for what never comes to be: a machine may be busy with other things for long.
///
/// - Returns: whether it came to be within the time.
func eventually(within seconds: Double = 120, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while true {
        if try condition() { return true }
        if Date() > deadline { return false }
        usleep(20_000)
    }
}
