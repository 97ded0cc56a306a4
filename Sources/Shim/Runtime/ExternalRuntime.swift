import Cgroups
import ContainerRuntime
import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// The program of another OCI runtime, with the command line that runc has and crun, runsc (gVisor) and youki share.
///
/// It is executed for each request, and the shim does not wait for it: its end is an event like others, and one that
/// takes too long is killed. What it leaves running becomes the shim's child, as that is the subreaper.
final class ExternalRuntime: OCIRuntime {
    /// How long the runtime may take to kill a container, in milliseconds; then the shim does.
    private static let killPatience: Int64 = 3000
    /// What becomes of calls that are under way when the container ends.
    private static let ended = ShimError(.conflict, "the container has ended")
    /// The same for what a failed or finished container leaves.
    private static let deletePatience: Int64 = 10_000

    /// How long the runtime may take to restore the container's memory.
    private static let restorePatience: Int64 = 600_000
    /// How long it may take to save it: a day, since killing it would harm processes that it has in its hands.
    private static let savePatience: Int64 = 86_400_000

    private struct Active {
        var call: RuntimeCall
        var timer: EventLoop.Timer
        var end: Completion<RuntimeCall>
    }

    private let id: String
    private let program: ShimConfiguration.Runtime
    private let bundle: Bundle
    private let stateRoot: FilePath
    private let usesSystemdCgroup: Bool
    private let rootfsMounts: [RootMount]
    private let loop: EventLoop
    let cgroup: Cgroup?
    let needsRootHeld = false
    var scoreBefore: Int?
    /// The container's network, if the runtime has to be told.
    private var network: SandboxNetwork?
    /// The network namespace that the container has joined. A checkpoint looks it up by its path, and the engine's own
    /// descriptor is closed by then.
    private var heldNetwork: FileDescriptor?
    /// The shim's own capabilities, of which a container gets a part.
    private var granted: CapabilitySet = []
    private var rootfs: FilePath?
    /// The container's program, by which it is recognised that an error is about it.
    private var subject: String?
    private var pid: Int32 = 0
    /// The first process; its number can be another's once it has been reaped.
    private var process: PIDFD?
    private var active: [Int32: Active] = [:]
    /// Programs that have been given up and are still there.
    private var abandoned: Set<Int32> = []
    private var callCount = 0
    /// The program's process that makes a checkpoint.
    private var saving: Int32?
    /// The removal of the container, which waits for that.
    private var afterSaving: (() -> Void)?
    /// Whether the container was made from a checkpoint, and so needs no start.
    private var isRestored = false

    init(
        _ program: ShimConfiguration.Runtime, _ configuration: ShimConfiguration, bundle: Bundle, cgroup: Cgroup?,
        loop: EventLoop
    ) {
        id = configuration.id
        self.program = program
        self.bundle = bundle
        self.cgroup = cgroup
        self.loop = loop
        stateRoot = bundle.runtimeRoot(configuration)
        usesSystemdCgroup = configuration.usesSystemdCgroup == true
        rootfsMounts = configuration.rootfsMounts
    }

    var isBusy: Bool { !active.isEmpty }
    let changesStreams = true

    private var patience: Int64 { Int64(program.patience) * 1000 }
    private var callsDirectory: FilePath { bundle.file(ShimBundle.calls) }

    // MARK: Calling

    private func makeCall(_ command: String, executing subject: String? = nil) throws(ShimError) -> RuntimeCall {
        callCount += 1
        return try RuntimeCall(
            command, of: program, executing: subject, directory: callsDirectory.appending("\(getpid())-\(callCount)"))
    }

    /// The flags before the command. What was configured comes later and wins.
    private func globalFlags(_ call: RuntimeCall) -> [String] {
        ["--root", stateRoot.string, "--log", call.log.string, "--log-format", "json"]
            + (usesSystemdCgroup ? ["--systemd-cgroup"] : []) + (network?.flags ?? [])
    }

    /// Executes the program; `completion` gets the call when it has ended with success.
    private func run(
        _ call: RuntimeCall, _ arguments: [String], streams: RuntimeCall.Streams? = nil, patience: Int64? = nil,
        _ completion: @escaping Completion<RuntimeCall>
    ) {
        do throws(ShimError) {
            try call.begin(
                global: globalFlags(call), arguments: arguments, streams: streams, score: scoreBefore)
        } catch {
            return completion(.failure(error))
        }
        let patience = patience ?? self.patience
        let timer = loop.schedule(milliseconds: patience) { [unowned self] in
            abandon(call.pid, call.timeout(patience))
        }
        active[call.pid] = Active(call: call, timer: timer, end: completion)
    }

    /// The same for a command about the container without anything to go in or out.
    private func run(
        _ command: String, _ arguments: [String], patience: Int64? = nil,
        _ completion: @escaping Completion<RuntimeCall>
    ) {
        do throws(ShimError) {
            run(try makeCall(command), arguments, patience: patience, completion)
        } catch {
            completion(.failure(error))
        }
    }

    /// Executes the program and waits. For what happens while there are no clients.
    private func runAndWait(
        _ call: RuntimeCall, _ arguments: [String], streams: RuntimeCall.Streams? = nil, patience: Int64
    ) throws(ShimError) -> Int32 {
        try call.begin(global: globalFlags(call), arguments: arguments, streams: streams, score: scoreBefore)
        guard let code = call.wait(milliseconds: patience) else {
            call.kill()
            _ = call.wait(milliseconds: 1000)
            throw call.timeout(patience)
        }
        return code
    }

    private func abandon(_ pid: Int32, _ error: ShimError) {
        guard let entry = active.removeValue(forKey: pid) else { return }
        loop.cancel(entry.timer)
        entry.call.kill()
        abandoned.insert(pid)
        entry.end(.failure(error))
        if pid == saving { endSaving() }
    }

    private func endSaving() {
        saving = nil
        let removal = afterSaving
        afterSaving = nil
        removal?()
    }

    func childEnded(_ pid: Int32, code: Int32) -> Bool {
        if abandoned.remove(pid) != nil { return true }
        guard let entry = active.removeValue(forKey: pid) else { return false }
        loop.cancel(entry.timer)
        entry.end(code == 0 ? .success(entry.call) : .failure(entry.call.failure(code)))
        if pid == saving { endSaving() }
        return true
    }

    // MARK: Life cycle

    func create(_ spec: Spec, streams: StandardPipes?) throws(ShimError) -> StartedProcess {
        try make(spec, streams, "create")
    }

    func restore(
        _ spec: Spec, streams: StandardPipes?, from checkpoint: CheckpointPlace
    ) throws(ShimError) -> StartedProcess {
        isRestored = true
        return try make(spec, streams, "restore", ["--detach"] + Self.arguments(checkpoint))
    }

    private static func arguments(_ checkpoint: CheckpointPlace) -> [String] {
        ["--image-path", checkpoint.images, "--work-path", checkpoint.work]
    }

    private func make(
        _ spec: Spec, _ streams: StandardPipes?, _ command: String, _ arguments: [String] = []
    ) throws(ShimError) -> StartedProcess {
        let rootfs = bundle.path.pushing(FilePath(spec.root?.path ?? "rootfs"))
        granted = try attempt("capget") { () throws(Errno) in try Credentials.capabilities().permitted }
        try bundle.rewriteSpecification {
            RuntimeDialect.configuration($0, as: spec, for: program, granted: granted)
        }
        network = try SandboxNetwork(of: program, for: spec)
        try holdNetwork(of: spec)
        subject = spec.process?.args?.first
        try leaveHost(for: rootfs)
        try RootMounting.mount(rootfsMounts, on: rootfs)
        self.rootfs = rootfs
        let call: RuntimeCall
        do throws(ShimError) {
            try bundle.rewriteSpecification { (specification) throws(ShimError) in
                try attempt("open \(rootfs)") { () throws(Errno) in
                    try TmpfsModes.completing(specification, in: rootfs)
                }
            }
            call = try makeCall(command, executing: subject)
            try make(call, arguments, streams)
            let pid = try call.writtenPID()
            self.pid = pid
            process = try attempt("pidfd_open") { () throws(Errno) in try PIDFD.open(pid) }
            let console = spec.process?.terminal == true ? try call.takeConsole() : nil
            try setSize(spec.process?.consoleSize, of: console)
            return StartedProcess(pid: pid, console: console)
        } catch {
            try? deleteNow()  // The error to be reported is the one that led here.
            throw error
        }
    }

    private func holdNetwork(of spec: Spec) throws(ShimError) {
        guard let path = spec.linux?.namespaces?.first(where: { $0.type == .network })?.path else { return }
        let handle = try attempt("open \(path)") { () throws(Errno) in try Files.open(FilePath(path), .readOnly) }
        heldNetwork = handle
        try bundle.rewriteSpecification {
            RuntimeDialect.joining(network: "/proc/\(getpid())/fd/\(handle.rawValue)", $0)
        }
    }

    /// Goes to a mount namespace of the shim's own; also what removes the container after another shim needs one.
    func leaveHost(for path: FilePath) throws(ShimError) {
        try RootMounting.leaveHost(for: path, hidingUnified: RuntimeDialect.needsSingleHierarchy(program))
    }

    private func make(_ call: RuntimeCall, _ own: [String], _ streams: StandardPipes?) throws(ShimError) {
        var arguments = own + ["--bundle", bundle.path.string, "--pid-file", call.pidFile.string]
        if streams == nil { arguments += ["--console-socket", try call.consoleSocket().string] }
        arguments.append(id)
        let code = try runAndWait(
            call, arguments, streams: streams?.forRuntime, patience: isRestored ? Self.restorePatience : patience)
        guard code == 0 else {
            throw call.failure(code, streamed: streams?.readErrors() ?? [])
        }
    }

    /// Sets the size of a terminal; not every runtime does.
    private func setSize(_ size: Box?, of console: FileDescriptor?) throws(ShimError) {
        guard let size, let console else { return }
        try attempt("cannot set the terminal's size") { () throws(Errno) in
            try console.setWindowSize(columns: UInt16(clamping: size.width), rows: UInt16(clamping: size.height))
        }
    }

    func revert(_ process: StartedProcess) {
        try? deleteNow()  // As the protocol says.
        _ = try? ProcessControl.wait(for: process.pid)  // Nobody else has waited for it.
    }

    func start(_ completion: @escaping Completion<Void>) {
        if isRestored { return completion(.success(())) }
        do throws(ShimError) {
            let call = try makeCall("start", executing: subject)
            call.hidesNetworkParameters = network == .prepared
            run(call, [id]) { completion($0.map { _ in () }) }
        } catch {
            completion(.failure(error))
        }
    }

    func exec(_ process: Process, streams: StandardPipes?, _ completion: @escaping Completion<StartedProcess>) {
        do throws(ShimError) {
            let call = try makeCall("exec", executing: process.args?.first)
            var process = process
            process.capabilities = process.capabilities.map { RuntimeDialect.limited($0, to: granted) }
            let consoleSize = process.consoleSize
            var arguments = ["--detach", "--pid-file", call.pidFile.string]
            if streams == nil { arguments += ["--console-socket", try call.consoleSocket().string] }
            let description: [UInt8]
            do {
                description = try JSON.encode(process)
            } catch {
                throw ShimError(.invalid, "process: \(error)")
            }
            arguments += ["--process", try call.file("process.json", description).string, id]
            run(call, arguments, streams: streams?.forRuntime) { [unowned self] result in
                completion(result.flatMap { take($0, consoleSize: consoleSize) })
            }
        } catch {
            completion(.failure(error))
        }
    }

    private func take(_ call: RuntimeCall, consoleSize: Box?) -> Result<StartedProcess, ShimError> {
        do throws(ShimError) {
            let pid = try call.writtenPID()
            let console = try call.takeConsole()
            try setSize(consoleSize, of: console)
            return .success(StartedProcess(pid: pid, console: console))
        } catch {
            return .failure(error)
        }
    }

    func kill(_ signal: Int32, all: Bool, _ completion: @escaping Completion<Void>) {
        let arguments = (all ? ["--all"] : []) + [id, "\(signal)"]
        guard signal == SIGKILL else {
            if !Files.exists(stateRoot.appending(id)) { return completion(killWithoutRuntime(signal, all: all)) }
            return run("kill", arguments, patience: min(patience, Self.deletePatience)) {
                // It may have been that signal, faster than the runtime came to say that it has sent it.
                if case .failure(Self.ended) = $0 { return completion(.success(())) }
                completion($0.map { _ in () })
            }
        }
        run("kill", arguments, patience: Self.killPatience) { [unowned self] _ in
            // Whatever the runtime says, the shim kills too, also a frozen process (in version 1 it would get the
            // signal only when it is thawed).
            try? process?.send(signal: SIGKILL)  // Fails if it has ended.
            if all { try? cgroup?.signalAll(SIGKILL) }  // As above.
            try? cgroup?.thawIfFrozen()  // If it stays frozen, the process is seen not to end.
            completion(.success(()))
        }
    }

    /// Sends a signal to a container that the runtime does not know any more, because somebody has removed its files.
    private func killWithoutRuntime(_ signal: Int32, all: Bool) -> Result<Void, ShimError> {
        do throws(Errno) {
            try process?.send(signal: signal)
        } catch .noSuchProcess {
            return .failure(Self.ended)
        } catch {
            return .failure(ShimError(.system, "cannot send signal \(signal) to container \(id): \(error)"))
        }
        // Processes that have ended meanwhile need no signal.
        if all { try? cgroup?.signalAll(signal) }
        return .success(())
    }

    // MARK: The rest

    func setPaused(_ isPaused: Bool, _ completion: @escaping Completion<Void>) {
        run(isPaused ? "pause" : "resume", [id]) { completion($0.map { _ in () }) }
    }

    func checkpoint(
        to place: CheckpointPlace, leavesRunning: Bool, _ completion: @escaping Completion<Void>
    ) {
        do throws(ShimError) {
            let call = try makeCall("checkpoint")
            let arguments = Self.arguments(place) + (leavesRunning ? ["--leave-running"] : [])
            run(call, arguments + [id], patience: Self.savePatience) { completion($0.map { _ in () }) }
            // The number comes with the beginning; without one it has failed already.
            if active[call.pid] != nil { saving = call.pid }
        } catch {
            completion(.failure(error))
        }
    }

    func update(_ resources: LinuxResources, _ completion: @escaping Completion<Void>) {
        do {
            let call = try makeCall("update")
            let file = try call.file("resources.json", JSON.encode(resources))
            run(call, ["--resources", file.string, id]) { completion($0.map { _ in () }) }
        } catch {
            completion(.failure((error as? ShimError) ?? ShimError(.invalid, "resources: \(error)")))
        }
    }

    func processes(_ completion: @escaping Completion<[Int32]>) {
        // Not by the runtime's `ps`: a sandbox numbers processes as it likes, and those are not the host's.
        let pids = (try? cgroup?.processes()) ?? []
        completion(.success(pids.isEmpty ? [pid] : pids))
    }

    func statistics(_ completion: @escaping Completion<CgroupStatistics>) {
        let counted = cgroup?.statistics()
        if let counted, counted.memory != nil || counted.cpu != nil { return completion(.success(counted)) }
        // It has made no control group, and knows what the container uses itself.
        run("events", ["--stats", id]) { result in
            completion(result.map { RuntimeStatistics.parse($0.output) })
        }
    }

    func delete(_ completion: @escaping Completion<Void>) {
        if let saving {
            // It ends the container by itself, and has to say what became of the checkpoint.
            afterSaving = { [unowned self] in delete(completion) }
            loop.schedule(milliseconds: Self.killPatience) { [weak self] in
                if self?.saving == saving { self?.abandon(saving, Self.ended) }
            }
            return
        }
        for pid in Array(active.keys) { abandon(pid, Self.ended) }
        run("delete", ["--force", id], patience: Self.deletePatience) { [unowned self] result in
            let left = removeRemains()
            if case .failure(let error) = result { return completion(.failure(error)) }
            completion(left.map { .failure($0) } ?? .success(()))
        }
    }

    /// Removes all there is of the container, and waits for it.
    func deleteNow() throws(ShimError) {
        var failure: ShimError?
        do throws(ShimError) {
            let call = try makeCall("delete")
            let code = try runAndWait(call, ["--force", id], patience: Self.deletePatience)
            if code != 0 { failure = call.failure(code) }
        } catch {
            failure = error
        }
        // What it has not done is done now.
        failure = removeRemains() ?? failure
        if let failure { throw failure }
    }

    /// Removes what the runtime has left, which should be nothing.
    private func removeRemains() -> ShimError? {
        heldNetwork?.discard()
        heldNetwork = nil
        var failure: ShimError?
        do throws(CgroupError) {
            try cgroup?.remove()
        } catch {
            failure = ShimError(.system, error.message)
        }
        // Where version 1 is in use some make a group of version 2 too, which is not ours. Fails where there is none.
        if let cgroup, !cgroup.isUnified {
            try? Files.removeDirectory(FilePath("/sys/fs/cgroup/unified" + cgroup.path))
        }
        if let rootfs { RootMounting.unmount(rootfs) }
        for directory in [stateRoot.appending(id), callsDirectory] {
            do throws(Errno) {
                try TreeRemoval.remove(directory)
            } catch {
                failure = failure ?? ShimError(.system, "remove \(directory): \(error)")
            }
        }
        // Only if it is empty: other containers may be there. In the bundle there are none, but files that belong to no
        // container.
        if stateRoot.starts(with: bundle.path) { try? TreeRemoval.remove(stateRoot) }
        try? Files.removeDirectory(stateRoot)  // As above.
        return failure
    }
}
