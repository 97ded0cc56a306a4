import BlockingCalls
import Failure
import LinuxKernel
import Logging
import OCISpec
import PublishedPorts
import ShimProtocol
import Synchronization
import SystemPackage

/// Runs containers: takes a finished description and gives back a task with its events.
///
/// This comment is the specification; who wants to run something (Docker's containers, steps of a build, pods) needs
/// nothing else.
///
/// ## States
/// A task has an id and is in one of these states:
///
/// - *created*: made by `create`. Its first process exists, in its name spaces, with its root mounted, and waits at a
///   gate: clients can attach, no instruction of the program has run. Ended by `start`, or by `discard`. It does not
///   survive its user: a created task whose user has died is killed at the recovery, because nobody was told that it
///   would start.
/// - *running*: made by `start`. It belongs to its shim, a small process of its own that has the streams, the log and
///   the exit code. It goes on whatever becomes of this process, and `recover` takes it over.
/// - *paused*: running, and frozen: by `pause` for its user, or by `hold` for a piece of work that needs its files to
///   stand still. A hold ends with the process that made it; at a recovery such a task is thawed.
/// - *ended*: the last event was `exited` or `lost`. The bundle stays until `remove`, so that an end nobody has
///   recorded is found by `recover`.
///
/// ## Names
/// - A task's *id* is unique in its `Tasks` and a file name of the bundle directory: letters, digits, `_`, `.`, `-`.
/// - An exec's id is unique in its task.
/// - Everything that is in a file system of the host is named by an absolute path of the host's mount name space: root
///   mounts, sources of mounts, the log. Name spaces are joined by their paths in the specification; to join that of
///   another task use `/proc/<pid>/ns/<name>`, and start only while that task runs.
/// - Users, groups and the working directory in the specification are the container's own, by number.
/// - The *bundle* of a task is the directory `<configuration.directory>/<id>` (files: `ShimBundle`). Nobody else writes
///   there.
///
/// ## Running something and waiting for it
/// ```
/// let tasks = try Tasks(configuration, pool: pool, logger: logger)
/// let task = try await tasks.create("one") { TaskDescription(specification, rootMounts: mounts) }
/// try await task.start()
/// let exit = await task.exit()          // nil only if the task was let go
/// // … write down what must not be forgotten, then:
/// await tasks.remove("one")
/// ```
/// The closure runs on a thread that may block: the description can be composed there, from files if need be.
///
/// ## Attaching before the start, so that no byte is missed
/// ```
/// let task = try await tasks.create("two") { description }
/// let stream = try await task.attach(StreamChoice(stdin: true))
/// try await task.start()
/// // What is read from `stream` is output (Docker's frames, raw bytes of a terminal), what is written to it is input.
/// // Its end is the end of the output.
/// ```
///
/// ## A process beside the first one
/// ```
/// let exec = try await task.exec(ExecDescription(id: "probe", process: process, streams: StreamChoice()))
/// // exec.pid, exec.stream; its end is the event `execExited(id: "probe", …)`.
/// ```
/// After a crash `TaskPresence.execs` has it again, with the `note` of its description.
///
/// ## Taking over after a crash
/// ```
/// for id in try tasks.ids() {
///     guard knows(id) else { await tasks.end(id); continue }
///     switch await tasks.recover(id) {
///     case .running(let task, let presence): …      // go on with task.events
///     case .silent(let task): …                     // the same; `answered` or the end comes later
///     case .ended(let exit): …                      // record it, then remove
///     case .neverStarted: …                         // remove
///     case .gone: let exit = await tasks.bury(id)   // if it had been started
///     }
/// }
/// ```
///
/// ## Rules
/// - A call that throws has changed nothing, and leaves nothing behind; except that a request which was not answered in
///   time may still be carried out, where that does no harm (a signal, a limit), is undone where it would (a pause, an
///   exec), and told where it is what was wanted (`TaskEvent.pauseChanged`).
/// - When a task began and ended says its shim's clock alone, whoever asks, and whenever.
/// - All errors are `TaskError`, except those of the caller's own closures.
/// - Every call has a deadline (`ShimPatience`). Nothing that a shim does, or does not do, can keep a task from being
///   ended: a shim that does not carry out SIGKILL is killed with its task, and the end is told as `lost`.
/// - `events` is for one consumer, who is told everything that happens after `create` or `recover` returned. `exit` is
///   for any number.
/// - `create` of an id whose earlier task has not ended is a mistake of the caller.
/// - The caller keeps what has to survive: which ids there are, what they are for, which of them its users have paused.
package final class Tasks: Sendable {
    /// Where tasks are kept and what runs them.
    package let configuration: TasksConfiguration
    let pool: BlockingPool
    let logger: Logger
    /// Launches under way.
    private let launches = Mutex<[String: LaunchControl]>([:])
    /// Those that the next launches take; `nil` if none are kept.
    private let waiting: WaitingShims?

    /// Makes the bundle directory, if there is none. Work that blocks is done by `pool`.
    package init(_ configuration: TasksConfiguration, pool: BlockingPool, logger: Logger) throws(TaskError) {
        self.configuration = configuration
        self.pool = pool
        self.logger = logger
        waiting =
            configuration.waitingShims == 0
            ? nil
            : WaitingShims(
                program: configuration.shimProgram, count: configuration.waitingShims,
                directory: configuration.directory)
        do throws(Errno) {
            // Users who may not use this interface cannot reach the control sockets either.
            try Files.makeDirectories(configuration.directory, mode: 0o711)
            // Both are made here and not at first use, so that descriptors do not seem to leak. If the watches could
            // not be made, followers of a log get that error.
            _ = try EventThread.shared.get()
            _ = DirectoryWatches.shared
        } catch {
            throw .system("cannot use \(configuration.directory) for the bundles of containers: \(error)")
        }
    }

    /// The directory of a task.
    package func bundle(of id: String) -> FilePath { configuration.directory.appending(id) }

    func bundle(_ id: String) -> TaskBundle { TaskBundle(path: bundle(of: id)) }

    /// The tasks that have a bundle, whatever has become of them. Blocks.
    package func ids() throws(TaskError) -> [String] {
        do throws(Errno) { return try Files.names(in: configuration.directory) } catch {
            throw .system("cannot list \(configuration.directory): \(error)")
        }
    }

    // MARK: Making

    /// Makes a task; its program does not begin before `start`. After an error nothing is left of it.
    ///
    /// - Parameter describe: says what to run. It is called once, on a thread that may block; its errors are thrown as
    ///   they are.
    package func create(
        _ id: String, _ describe: @escaping @Sendable () throws -> TaskDescription
    ) async throws -> RunningTask {
        let control = LaunchControl()
        let isFree = launches.withLock { launches in
            if launches[id] != nil { return false }
            launches[id] = control
            return true
        }
        guard isFree else { throw TaskError(.conflict, "\(id) is being started already") }
        defer { launches.withLock { launches in launches[id] = nil } }
        let task: RunningTask
        do {
            task = try await pool.run { [self] in
                let description = try describe()
                return try launch(id, description, control)
            }
        } catch {
            // It may have taken the one that waited.
            prepareForNext()
            throw error
        }
        do {
            if task.client.isSubscribed { task.begin() } else { try await task.subscribe() }
        } catch {
            await task.discard()
            throw error
        }
        return task
    }

    /// Writes the bundle, starts the shim and connects to it; undoes it if that fails. Blocks.
    private func launch(_ id: String, _ description: TaskDescription, _ control: LaunchControl) throws -> RunningTask {
        let bundle = bundle(id)
        let cgroup = description.specification.linux?.cgroupsPath.map {
            TaskCgroup(path: $0, isSystemd: description.usesSystemdCgroup)
        }
        do {
            try bundle.write(id, description, filterCache: configuration.filterCache)
            let launched: ShimLaunch.Launched
            do throws(ShimError) {
                launched = try ShimLaunch.run(
                    program: configuration.shimProgram, bundle: bundle.path,
                    patience: description.checkpoint == nil
                        ? configuration.patience.launch : configuration.patience.restoration,
                    control: control, waiting: waiting)
            } catch {
                // A shim that was killed, or died, may have made half a task. One that refuses has undone it.
                if error.reason == .unavailable {
                    deleteRuntimeState(id)
                    if let cgroup { removeCgroup(cgroup, of: id) }
                }
                throw TaskError(error)
            }
            let client: ShimClient
            do throws(ShimError) {
                client = try ShimClient(launched, bundle: bundle.path)
                try requirePorts(of: description, in: launched.ports)
            } catch {
                launched.shim.kill()
                _ = launched.shim.hasEnded(within: 5000)  // What it still does would come into the way of the clean-up.
                deleteRuntimeState(id)
                if let cgroup { removeCgroup(cgroup, of: id) }
                throw TaskError(error)
            }
            return RunningTask(
                id, of: self, client: client, pid: launched.pid, shimPID: launched.shim.pid,
                cgroup: cgroup, program: description.runtime, ports: launched.ports)
        } catch {
            do throws(TaskError) { try bundle.remove() } catch let cleanup {
                throw TaskError.system("\(error); and \(cleanup)")
            }
            throw error
        }
    }

    /// A shim of an earlier version passes over what it does not know.
    private func requirePorts(of description: TaskDescription, in bound: [PublishedPort]) throws(ShimError) {
        guard let publication = description.publishedPorts, bound.isEmpty,
            publication.requests.contains(where: { !publication.addresses(of: $0).isEmpty })
        else { return }
        throw ShimError(
            .system,
            "\(configuration.shimProgram) is of a version that cannot publish ports: install that of this daemon")
    }

    /// Has as many shims wait for the next launches as the configuration says. Called when a task has begun, or has not
    /// come about, so that they do not take the processors from it.
    func prepareForNext() { waiting?.fill(on: pool) }

    /// Calls off a `create` that has not returned yet: it throws as soon as its shim has been killed. Does nothing if
    /// there is none.
    package func callOff(_ id: String) {
        launches.withLock { launches in launches[id] }?.callOff()
    }

    // MARK: Ending

    /// Ends a task that nobody wants, in whatever state it is, and removes its bundle. `cgroup` is as for `bury`.
    package func end(_ id: String, cgroup: TaskCgroup? = nil) async {
        callOff(id)
        switch await recover(id, isPaused: true) {
        case .running(let task, _), .silent(let task): await task.discard()
        case .neverStarted, .ended: break
        case .gone: _ = await bury(id, cgroup: cgroup)
        }
        await remove(id)
    }

    /// Removes the bundle of a task that has ended. What cannot be removed is logged; the next recovery finds it.
    package func remove(_ id: String) async {
        await pool.complete { [self] in
            do throws(TaskError) { try bundle(id).remove() } catch {
                logger.error("\(error)", metadata: ["container": "\(id)"])
            }
        }
    }
}

/// Where tasks are kept and what runs them.
package struct TasksConfiguration: Sendable {
    /// The directory of the bundles, on a file system that is gone after a restart of the machine.
    package var directory: FilePath
    /// `masu-shim`.
    package var shimProgram: FilePath
    /// A directory that shims share, for compiled system call filters; `nil` compiles them each time.
    package var filterCache: FilePath?
    /// How long shims may take.
    package var patience = ShimPatience()
    /// How many shims wait, started, for the next tasks. They come with the first task, cost 0.4 MiB of memory each and
    /// save a third of a launch.
    package var waitingShims = 0

    /// Tasks in `directory`, with the usual patience.
    package init(directory: FilePath, shimProgram: FilePath, filterCache: FilePath? = nil) {
        self.directory = directory
        self.shimProgram = shimProgram
        self.filterCache = filterCache
    }
}

extension BlockingPool {
    /// Runs `body`, which deals with its errors itself, on one of the pool's threads.
    func complete(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            submit {
                body()
                continuation.resume()
            }
        }
    }
}
