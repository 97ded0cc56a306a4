import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// Starts `masu-shim` for a bundle and reads what it says.
enum ShimLaunch {
    /// Blocks until the shim is in its place. Throws the shim's own error, or what kept it from being started.
    ///
    /// The shim is a child of this process; nothing of the daemon is passed on to it but its standard error, until it is ready.
    static func run(program: FilePath, bundle: FilePath) throws(ShimError) -> (pid: Int32, shimPID: Int32) {
        let output: FileDescriptor
        let started: Result<pid_t, Errno>
        do throws(Errno) {
            // A socket pair, because unlike a pipe it can be had close-on-exec in one step.
            let (mine, child) = try UnixSocket.pair(.stream)
            output = mine
            started = spawn(program: program, bundle: bundle, mode: "--child", output: child.rawValue)
            child.discard()
        } catch {
            throw ShimError(.system, "cannot make a socket pair: \(error)")
        }
        defer { output.discard() }
        let child: pid_t
        switch started {
        case .success(let pid): child = pid
        case .failure(let error): throw ShimError(.system, "cannot start \(program): \(error)")
        }
        // The line is all there is before the end: a shim that lives closes its output, one that does not ends.
        let reply: Result<[UInt8], Errno>
        do throws(Errno) { reply = .success(try output.readLine(limit: 1 << 20)) } catch { reply = .failure(error) }
        let result: ShimLaunchResult
        do throws(ShimError) {
            result = try answer(reply, of: program, child)
        } catch {
            ShimReaper.watch(child)
            throw error
        }
        switch result {
        case .launched(let pid, let shimPid):
            ShimReaper.watch(child)
            return (pid, shimPid)
        case .failed(let error):
            _ = end(of: child)
            throw error
        }
    }

    /// Has a program that a killed shim has left behind removed by the runtime that made it. Blocks.
    static func delete(program: FilePath, bundle: FilePath) throws(ShimError) {
        let started: Result<pid_t, Errno>
        let (mine, child): (FileDescriptor, FileDescriptor)
        do throws(Errno) {
            (mine, child) = try UnixSocket.pair(.stream)
        } catch {
            throw ShimError(.system, "cannot make a socket pair: \(error)")
        }
        defer { mine.discard() }
        started = spawn(program: program, bundle: bundle, mode: "--delete", output: child.rawValue)
        child.discard()
        switch started {
        case .success(let pid):
            let status = end(of: pid)
            if status != 0 { throw ShimError(.system, "\(program) --delete failed (wait status \(status))") }
        case .failure(let error): throw ShimError(.system, "cannot start \(program): \(error)")
        }
    }

    private static func answer(
        _ reply: Result<[UInt8], Errno>, of program: FilePath, _ child: pid_t
    ) throws(ShimError) -> ShimLaunchResult {
        guard case .success(let bytes) = reply, !bytes.isEmpty else {
            throw ShimError(.system, "\(program) ended without an answer (wait status \(end(of: child)))")
        }
        do {
            return try JSON.decode(ShimLaunchResult.self, from: bytes)
        } catch {
            throw ShimError(.system, "\(program) sent an invalid answer: \(error)")
        }
    }

    /// Waits for a child that is about to end; its wait status.
    private static func end(of child: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status
    }

    private static func spawn(program: FilePath, bundle: FilePath, mode: String, output: Int32) -> Result<pid_t, Errno>
    {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The daemon ignores and blocks signals of its own; a container must not inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = [program.string, "--bundle", bundle.string, mode]
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        ]
        defer { for pointer in environment { free(pointer) } }
        environment.append(nil)
        // All our descriptors are close-on-exec by themselves; this is for those of libraries. What fails here fails for a
        // kernel older than 5.9 alone, and then nothing more can be done.
        try? Descriptors.closeOnExec(from: 3)
        var pid: pid_t = 0
        let result = program.withPlatformString { posix_spawn(&pid, $0, &actions, &attributes, pointers, environment) }
        return result == 0 ? .success(pid) : .failure(Errno(rawValue: result))
    }
}

extension EngineError {
    /// A shim's refusal to start a container, in the words from which `docker` makes exit codes 126 and 127.
    static func start(_ error: ShimError) -> EngineError {
        if let operation = error.operation { return external(error, operation) }
        return switch error.reason {
        case .commandNotFound, .notExecutable, .invalid:
            .invalid("OCI runtime create failed: unable to start container process: \(error.message)")
        default: .system("OCI runtime create failed: \(error.message)")
        }
    }

    /// The words of an external runtime, with Docker's in front of them.
    private static func external(_ error: ShimError, _ operation: String) -> EngineError {
        let text = "OCI runtime \(operation) failed: \(error.message)"
        switch error.reason {
        case .commandNotFound, .notExecutable, .invalid: return .invalid(text)
        default: return .system(text)
        }
    }

    /// The same for an exec.
    static func exec(_ error: ShimError) -> EngineError {
        if let operation = error.operation { return external(error, operation) }
        let text = "OCI runtime exec failed: exec failed: unable to start container process: \(error.message)"
        switch error.reason {
        case .commandNotFound, .notExecutable, .invalid: return .invalid(text)
        default: return .system(text)
        }
    }

    /// A failure of a living container's shim to do something.
    static func shim(_ error: any Error) -> EngineError {
        guard let error = error as? ShimError else { return EngineError(error) }
        switch error.reason {
        case .conflict: return .conflict(error.message)
        case .invalid: return .invalid(error.message)
        case .notFound: return EngineError(.notFound, error.message)
        case .commandNotFound, .notExecutable, .system, .unavailable: return .system(error.message)
        }
    }
}

extension ShimError {
    /// The exit code Docker records for a start that failed like this.
    var exitCode: Int32 {
        switch reason {
        case .commandNotFound: 127
        case .notExecutable: 126
        default: 128
        }
    }
}
