import Glibc
import LinuxKernel
import SystemPackage

/// Runs a plugin's program to its end, or until its time is over.
enum PluginProcess {
    /// What it has said.
    struct Ending: Sendable {
        /// How it ended.
        var status: ProcessControl.ExitStatus
        /// Standard output.
        var output: [UInt8]
        /// The beginning of standard error.
        var errors: [UInt8]
    }

    /// Why there is no end to tell of.
    enum Interruption: Error {
        /// It could not be started.
        case start(Errno)
        /// It did not end in time, and was killed with all of its group.
        case overdue
        /// It wrote more than it may, and was killed with all of its group.
        case tooLong
        /// The kernel failed while it ran; it was killed.
        case system(Errno)
    }

    /// How much of standard error is kept. The rest is read and dropped.
    private static let errorLimit = 16 << 10

    /// Runs the program in a process group of its own. Blocks.
    ///
    /// - Parameters:
    ///   - input: its standard input.
    ///   - milliseconds: how long it may take.
    ///   - outputLimit: how many bytes it may write to standard output.
    ///   - token: a file that it, and all that it starts, keep open as their descriptor 3. It gets the process written
    ///     into it (`RunningPlugin`).
    static func run(
        _ program: FilePath, environment: [String], input: [UInt8], milliseconds: Int64, outputLimit: Int,
        token: FileDescriptor?
    ) throws(Interruption) -> Ending {
        let deadline = MonotonicClock.milliseconds + max(0, milliseconds)
        let child: Child
        do throws(Errno) {
            // What the file says must not be the plugin before this one while nobody has written this one down.
            if let token { try RunningPlugin.erase(from: token) }
            child = try Child.start(program, environment, input, token)
        } catch {
            throw .start(error)
        }
        if let token { RunningPlugin.of(child.pid)?.write(to: token) }
        defer { child.close() }
        var ending = Ending(status: .exited(0), output: [], errors: [])
        do throws(Interruption) {
            try collect(from: child, until: deadline, outputLimit, into: &ending)
        } catch {
            child.kill()
            _ = try? child.reap()  // What is wrong is told already.
            throw error
        }
        do throws(Errno) { ending.status = try child.reap() } catch { throw .system(error) }
        return ending
    }

    /// Reads until the process has ended. Others that have its streams open, because it has left them running, are not
    /// waited for.
    private static func collect(
        from child: Child, until deadline: Int64, _ outputLimit: Int, into ending: inout Ending
    ) throws(Interruption) {
        while true {
            let left = deadline - MonotonicClock.milliseconds
            if left <= 0 { throw .overdue }
            do throws(Errno) {
                var interests = [(child.process.descriptor, ReadyEvents.readable)]
                for stream in [child.output, child.errors] where stream.isOpen {
                    interests.append((stream.descriptor, .readable))
                }
                // A day at most, as poll takes no more than an Int32.
                let events = try Poll.wait(for: interests, milliseconds: Int32(min(left, 86_400_000)))
                let hasEnded = !events[0].isEmpty
                ending.output += try child.output.read(limit: outputLimit + 1 - ending.output.count)
                ending.errors += try child.errors.read(limit: .max).prefix(max(0, errorLimit - ending.errors.count))
                if ending.output.count <= outputLimit, hasEnded { return }
            } catch {
                throw .system(error)
            }
            if ending.output.count > outputLimit { throw .tooLong }
        }
    }

    /// The reading end of a stream of the child's.
    private final class Stream {
        let descriptor: FileDescriptor
        private(set) var isOpen = true

        init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

        /// What there is to read now, up to a limit.
        func read(limit: Int) throws(Errno) -> [UInt8] {
            var bytes: [UInt8] = []
            while isOpen, bytes.count < limit {
                do throws(Errno) {
                    let chunk = try descriptor.readOnce()
                    if chunk.isEmpty { isOpen = false }
                    bytes += chunk
                } catch {
                    if error == .resourceTemporarilyUnavailable { return bytes }
                    throw error
                }
                // A stream that never pauses has to leave time for the others.
                if bytes.count >= 1 << 20 { return bytes }
            }
            return bytes
        }
    }

    private struct Child {
        let pid: pid_t
        let process: PIDFD
        let output: Stream
        let errors: Stream

        static func start(
            _ program: FilePath, _ environment: [String], _ input: [UInt8], _ token: FileDescriptor?
        ) throws(Errno) -> Child {
            // A file and not a pipe: a plugin that does not read it holds up nobody.
            let file = try MemoryFile.create("cni-request")
            defer { file.discard() }
            try file.writeEntire(input)
            if lseek(file.rawValue, 0, SEEK_SET) < 0 { throw Errno(rawValue: errno) }
            let output = try FileDescriptor.makePipe()
            defer { output.writing.discard() }
            do throws(Errno) {
                let errors = try FileDescriptor.makePipe()
                defer { errors.writing.discard() }
                do throws(Errno) {
                    for end in [output.reading, errors.reading] { try end.setNonBlocking(true) }
                    let streams = [file, output.writing, errors.writing] + (token.map { [$0] } ?? [])
                    let (pid, process) = try spawn(program, environment, streams)
                    return Child(
                        pid: pid, process: process, output: Stream(output.reading), errors: Stream(errors.reading))
                } catch {
                    errors.reading.discard()
                    throw error
                }
            } catch {
                output.reading.discard()
                throw error
            }
        }

        private static func spawn(
            _ program: FilePath, _ environment: [String], _ streams: [FileDescriptor]
        ) throws(Errno) -> (pid_t, PIDFD) {
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            // From above the numbers that they get, so that none takes another's place.
            var copies: [FileDescriptor] = []
            defer { for copy in copies { copy.discard() } }
            for (number, stream) in streams.enumerated() {
                let copy = try stream.duplicate(from: 10)
                copies.append(copy)
                posix_spawn_file_actions_adddup2(&actions, copy.rawValue, Int32(number))
            }
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            // The daemon ignores and blocks signals of its own.
            var none = sigset_t()
            sigemptyset(&none)
            var all = sigset_t()
            sigfillset(&all)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setsigdefault(&attributes, &all)
            posix_spawnattr_setpgroup(&attributes, 0)
            posix_spawnattr_setflags(
                &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
            var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program.string), nil]
            defer { for argument in arguments { free(argument) } }
            var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
            defer { for variable in variables { free(variable) } }
            // All our descriptors are close-on-exec by themselves; this is for those of libraries, and fails for a
            // kernel older than 5.9 alone.
            try? Descriptors.closeOnExec(from: 3)
            var pid: pid_t = 0
            for attempt in 0... {
                let code = program.withPlatformString {
                    posix_spawn(&pid, $0, &actions, &attributes, &arguments, &variables)
                }
                if code == 0 { break }
                // Somebody is just writing the program: an administrator who replaces it.
                guard code == ETXTBSY, attempt < 100 else { throw Errno(rawValue: code) }
                Poll.pause(milliseconds: 10)
            }
            do throws(Errno) {
                return (pid, try PIDFD.open(child: pid))
            } catch {
                Glibc.kill(-pid, SIGKILL)
                // It may have left the group. The number is its own, as nobody has reaped it.
                Glibc.kill(pid, SIGKILL)
                _ = try? ProcessControl.wait(for: pid)  // As nobody else does.
                throw error
            }
        }

        /// Kills it, be it in another group by now, and all that it has started and that has not left its group. The
        /// group's number is nobody else's before the process is reaped.
        func kill() {
            Glibc.kill(-pid, SIGKILL)
            try? process.send(signal: SIGKILL)  // It fails for one that has ended.
        }

        func reap() throws(Errno) -> ProcessControl.ExitStatus {
            try ProcessControl.wait(for: pid)?.status ?? .exited(0)
        }

        func close() {
            process.close()
            output.descriptor.discard()
            errors.descriptor.discard()
        }
    }
}
