import Glibc
import JSON
import LinuxKernel
import OCISpec
import PublishedPorts
import ShimProtocol
import Synchronization
import SystemPackage

/// Starts `masu-shim` for a bundle and reads what it says.
enum ShimLaunch {
    /// A shim in its place.
    struct Launched {
        /// The container's first process.
        var pid: Int32
        var shim: ShimProcess
        var ports: [PublishedPort]
        /// The connection to the shim that has been there from the beginning, subscribed to the container's events;
        /// `nil` with an earlier shim.
        var connection: FileDescriptor?
        /// What has come on it already.
        var received: [UInt8] = []
    }

    /// Blocks until the shim is in its place. Throws the shim's own error, or what kept it from being started: a shim
    /// that has not answered within `patience`, or whose launch has been called off, is killed, and what it may have
    /// made is to be looked for.
    ///
    /// The shim is a child of this process, one of those that wait if there is any; nothing of the daemon is passed on
    /// to it but its standard error, until it is ready.
    static func run(
        program: FilePath, bundle: FilePath, patience: Duration, control: LaunchControl, waiting: WaitingShims?
    ) throws(ShimError) -> Launched {
        let (shim, output) =
            if let taken = waiting?.take(for: bundle) { taken } else {
                try start(program, bundle: bundle.string, mode: "--child")
            }
        var isKept = false
        defer { if !isKept { output.discard() } }
        control.began(shim)
        output.setReceiveTimeout(patience)
        let reply: Result<[UInt8], Errno>
        do throws(Errno) { reply = .success(try output.readLine(limit: 16 << 20)) } catch { reply = .failure(error) }
        let (line, rest) = reply.split()
        switch try answer(line, of: program, shim, control) {
        case .launched(let pid, _, let ports, let isConnected):
            shim.reapAtEnd()
            isKept = isConnected
            return Launched(
                pid: pid, shim: shim, ports: ports, connection: isConnected ? output : nil, received: rest)
        case .failed(let error):
            _ = shim.end()
            throw error
        }
    }

    /// Has a program that a killed shim has left behind removed by the runtime that made it. Blocks.
    static func delete(program: FilePath, bundle: FilePath) throws(ShimError) {
        let (process, output) = try start(program, bundle: bundle.string, mode: "--delete")
        defer { output.discard() }
        let status = process.end(within: 120_000)
        if status != "exit status 0" { throw ShimError(.system, "\(program) --delete failed (\(status))") }
    }

    /// Starts the program; `output` is what it says.
    static func start(
        _ program: FilePath, bundle: String, mode: String
    ) throws(ShimError) -> (process: ShimProcess, output: FileDescriptor) {
        let (output, theirs): (FileDescriptor, FileDescriptor)
        do throws(Errno) {
            // A socket pair, because unlike a pipe it can be had close-on-exec in one step.
            (output, theirs) = try UnixSocket.pair(.stream)
        } catch {
            throw ShimError(.system, "cannot make a socket pair: \(error)")
        }
        let child = spawn(program: program, bundle: bundle, mode: mode, output: theirs.rawValue)
        theirs.discard()
        do throws(Errno) {
            return (try ShimProcess(child: child.get()), output)
        } catch {
            // A shim whose caller does not listen takes back what it has made, and ends.
            output.discard()
            if case .success(let pid) = child { _ = try? ProcessControl.wait(for: pid) }  // Nobody else waits for it.
            throw ShimError(.system, "cannot start \(program): \(error)")
        }
    }

    private static func answer(
        _ reply: Result<[UInt8], Errno>, of program: FilePath, _ shim: ShimProcess, _ control: LaunchControl
    ) throws(ShimError) -> ShimLaunchResult {
        let failure: String
        switch reply {
        case .failure(.resourceTemporarilyUnavailable): failure = "did not answer in time and has been killed"
        case .failure(let error): failure = "cannot be read from: \(error)"
        case .success([]): failure = "ended without an answer"
        case .success(let bytes):
            do {
                let result = try JSON.decode(ShimLaunchResult.self, from: bytes)
                if control.ended() { return result }
                failure = "has been called off"
            } catch {
                failure = "sent an invalid answer: \(error)"
            }
        }
        // Whatever it is that runs there, if it runs: it is not a shim that can be worked with.
        control.callOff()
        throw ShimError(.unavailable, "\(program) \(failure) (\(shim.end()))")
    }

    private static func spawn(program: FilePath, bundle: String, mode: String, output: Int32) -> Result<pid_t, Errno> {
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
        let arguments = [program.string, "--bundle", bundle, mode]
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        ]
        defer { for pointer in environment { free(pointer) } }
        environment.append(nil)
        // All our descriptors are close-on-exec by themselves; this is for those of libraries. What fails here fails
        // for a kernel older than 5.9 alone, and then nothing more can be done.
        try? Descriptors.closeOnExec(from: 3)
        var pid: pid_t = 0
        let result = program.withPlatformString { posix_spawn(&pid, $0, &actions, &attributes, pointers, environment) }
        return result == 0 ? .success(pid) : .failure(Errno(rawValue: result))
    }
}

/// Lets a launch be called off by others than the thread that waits for it.
final class LaunchControl: Sendable {
    private enum State {
        case waiting
        case running(ShimProcess)
        case calledOff
        case over
    }

    private let state = Mutex(State.waiting)

    /// Kills the shim that is being launched; nothing happens if it is launched already.
    func callOff() {
        state.withLock { state in
            switch state {
            case .waiting: state = .calledOff
            case .running(let shim):
                shim.kill()
                state = .calledOff
            case .calledOff, .over: break
            }
        }
    }

    /// There is a process now.
    fileprivate func began(_ shim: ShimProcess) {
        state.withLock { state in
            if case .calledOff = state { shim.kill() } else { state = .running(shim) }
        }
    }

    /// The launch is over; whether it is still wanted.
    fileprivate func ended() -> Bool {
        state.withLock { state in
            if case .calledOff = state { return false }
            state = .over
            return true
        }
    }
}

extension Result where Success == [UInt8] {
    /// The first line, and what comes after it.
    fileprivate func split() -> (line: Self, rest: [UInt8]) {
        guard case .success(let bytes) = self, let end = bytes.firstIndex(of: 0x0a) else { return (self, []) }
        return (.success(Array(bytes[...end])), Array(bytes[(end + 1)...]))
    }
}

extension FileDescriptor {
    /// Lets reading from a socket fail with EAGAIN after so long.
    fileprivate func setReceiveTimeout(_ limit: Duration) {
        let (seconds, attoseconds) = limit.components
        var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        // Fails for no socket; without it the launch is waited for.
        setsockopt(rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }
}
