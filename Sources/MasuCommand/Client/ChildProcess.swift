import Glibc
import LinuxKernel
import SystemPackage

/// Programs that this one starts.
enum ChildProcess {
    /// `POSIX_SPAWN_SETSID` of <spawn.h>, which Swift does not see.
    private static let newSession: Int16 = 0x80

    /// Starts a program; a name without a slash is looked for in `PATH`.
    ///
    /// - Parameters:
    ///   - streams: descriptors and the numbers they get in the program.
    ///   - variables: what its environment has beside this program's own, or instead of it.
    ///   - hasOwnSession: whether it is apart from the terminal of this program, and so from its signals.
    /// - Returns: its process id, to be waited for.
    /// - Throws: ``CommandError`` such as `exec: "ssh": executable file not found in $PATH`.
    static func start(
        _ arguments: [String], program: String? = nil, streams: [(Int32, Int32)] = [],
        variables: [(String, String)] = [], hasOwnSession: Bool = false
    ) throws(CommandError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (descriptor, number) in streams { posix_spawn_file_actions_adddup2(&actions, descriptor, number) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        if hasOwnSession { posix_spawnattr_setflags(&attributes, newSession) }
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var surroundings: [UnsafeMutablePointer<CChar>?] = []
        defer { for word in surroundings { free(word) } }
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            let name = text.prefix { $0 != "=" }
            if !variables.contains(where: { $0.0 == name }) { surroundings.append(strdup(entry)) }
            next += 1
        }
        for (name, value) in variables { surroundings.append(strdup("\(name)=\(value)")) }
        surroundings.append(nil)
        let name = program ?? arguments[0]
        var child: pid_t = 0
        let code = posix_spawnp(&child, name, &actions, &attributes, &words, &surroundings)
        guard code == 0 else {
            let reason = code == ENOENT && !name.contains("/") ? "executable file not found in $PATH" : nil
            throw CommandError("exec: \"\(name)\": \(reason ?? Console.words(code))")
        }
        return child
    }

    /// Waits for a program's end. The exit status; 128 and the number for a signal.
    static func wait(for child: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    /// Runs a program and reads its standard output.
    ///
    /// - Parameter input: its standard input, no more than a pipe holds (64 KiB). Without, it has none, and its
    ///   standard error goes nowhere; with it, that is this program's.
    static func output(
        of arguments: [String], program: String? = nil, variables: [(String, String)] = [], input: [UInt8]? = nil
    ) throws(CommandError) -> (status: Int32, bytes: [UInt8]) {
        let pipe = try makePipe()
        let inlet = input == nil ? nil : try makePipe()
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        var streams = [(inlet?.reading.rawValue ?? null, STDIN_FILENO), (pipe.writing.rawValue, STDOUT_FILENO)]
        if input == nil { streams.append((null, STDERR_FILENO)) }
        let child: pid_t
        do throws(CommandError) {
            child = try start(arguments, program: program, streams: streams, variables: variables)
        } catch {
            for end in [pipe.writing, pipe.reading, inlet?.reading, inlet?.writing] {
                if let end { close(end.rawValue) }
            }
            throw error
        }
        close(pipe.writing.rawValue)
        if let inlet, let input {
            close(inlet.reading.rawValue)
            // It may end without reading; its exit status says so.
            let disposition = signal(SIGPIPE, SIG_IGN)
            _ = write(inlet.writing.rawValue, input, input.count)
            signal(SIGPIPE, disposition)
            close(inlet.writing.rawValue)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(pipe.reading.rawValue, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 || bytes.count > 16 << 20 { break }
            bytes += chunk[..<count]
        }
        // A child that has more to say must not wait for a reader.
        close(pipe.reading.rawValue)
        return (wait(for: child), bytes)
    }

    private static func makePipe() throws(CommandError) -> (reading: FileDescriptor, writing: FileDescriptor) {
        do throws(Errno) {
            return try FileDescriptor.makePipe()
        } catch {
            throw CommandError("cannot make a pipe: \(Console.words(error.rawValue))")
        }
    }
}
