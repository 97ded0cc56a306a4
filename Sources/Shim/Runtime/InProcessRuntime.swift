import Cgroups
import ContainerRuntime
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// Our own library, in the shim's process: each request is done when it returns.
final class InProcessRuntime: OCIRuntime {
    private let id: String
    private let bundle: FilePath
    private let rootfsMounts: [RootMount]
    private let usesSystemdCgroup: Bool
    private let runtime: ContainerRuntime
    private let loop: EventLoop
    /// The container, once it has been created. Nothing is read from its directory again: somebody may have removed it.
    private var container: FoundContainer?
    /// Where the root of a restored container is mounted: CRIU wants to find it, and makes no mounts of ours.
    private var mountedRoot: FilePath?
    /// A checkpoint that is being made.
    private var saving: (process: CheckpointProcess, completion: Completion<Void>)?
    /// The removal of the container, which waits for that.
    private var afterSaving: (() -> Void)?
    let cgroup: Cgroup?
    let needsRootHeld = true
    let changesStreams = false
    let isBusy = false
    var scoreBefore: Int?

    /// How long a checkpoint may still take when the container has ended, in milliseconds.
    private static let savingPatience: Int64 = 5000

    init(_ configuration: ShimConfiguration, bundle: Bundle, cgroup: Cgroup?, loop: EventLoop) {
        id = configuration.id
        self.bundle = bundle.path
        rootfsMounts = configuration.rootfsMounts
        self.loop = loop
        usesSystemdCgroup = configuration.usesSystemdCgroup == true
        runtime = ContainerRuntime(
            root: bundle.runtimeRoot(configuration), filterCache: configuration.filterCache.map { FilePath($0) })
        self.cgroup = cgroup
    }

    func create(_ spec: Spec, streams: StandardPipes?) throws(ShimError) -> StartedProcess {
        var options = createOptions(streams)
        options.rootfsMounts = rootfsMounts.map(RootfsMount.init)
        do throws(RuntimeError) {
            let process = try runtime.create(id: id, bundle: bundle, spec: spec, options: options)
            container = process.container
            return process
        } catch {
            removeRoot()
            throw ShimError(error)
        }
    }

    private func createOptions(_ streams: StandardPipes?) -> CreateOptions {
        var options = CreateOptions()
        if usesSystemdCgroup { options.cgroupDriver = .systemd(isUser: false) }
        if let streams { options.streams = streams.streams }
        return options
    }

    func restore(
        _ spec: Spec, streams: StandardPipes?, from checkpoint: CheckpointPlace
    ) throws(ShimError) -> StartedProcess {
        let rootfs = bundle.pushing(FilePath(spec.root?.path ?? "rootfs"))
        try RootMounting.leaveHost(for: rootfs, hidingUnified: false)
        try RootMounting.mount(rootfsMounts, on: rootfs)
        mountedRoot = rootfs
        var quoted = QuotedErrors()
        do throws(RuntimeError) {
            let process = try runtime.restore(
                id: id, bundle: bundle, spec: spec, options: createOptions(streams),
                checkpoint: CheckpointOptions(checkpoint), warn: { quoted.add($0) })
            container = process.container
            do throws(RuntimeError) {
                // Until the start, so that clients can attach before.
                try found().pause()
            } catch {
                process.console?.discard()
                revert(process)
                throw error
            }
            return process
        } catch {
            removeRoot()
            var failure = ShimError(quoted.explain(error))
            failure.operation = "restore"
            throw failure
        }
    }

    func revert(_ process: StartedProcess) {
        // As the protocol says.
        try? runtime.delete(id, force: true)
        _ = try? ProcessControl.wait(for: process.pid)
        removeRoot()
    }

    private func removeRoot() {
        if let mountedRoot {
            RootMounting.unmount(mountedRoot)
            for target in rootfsMounts.compactMap(\.target) { RootMounting.unmount(FilePath(target)) }
        }
        mountedRoot = nil
        // Only if it is empty: other containers may be there.
        try? Files.removeDirectory(runtime.root)
    }

    func start(_ completion: @escaping Completion<Void>) {
        completion(
            result { () throws(RuntimeError) in
                if mountedRoot == nil { try runtime.start(id) } else { try found().resume() }
            })
    }

    func exec(_ process: Process, streams: StandardPipes?, _ completion: @escaping Completion<StartedProcess>) {
        var options = ExecOptions()
        if let streams { options.streams = streams.streams }
        completion(
            result { () throws(RuntimeError) in
                try runtime.exec(in: found(), process: process, options: options)
            })
    }

    func kill(_ signal: Int32, all: Bool, _ completion: @escaping Completion<Void>) {
        // In a frozen cgroup of version 1 even SIGKILL waits for the thaw, which is included.
        completion(result { () throws(RuntimeError) in try found().kill(signal: signal, all: all) })
    }

    func setPaused(_ isPaused: Bool, _ completion: @escaping Completion<Void>) {
        completion(
            result { () throws(RuntimeError) in
                if isPaused { try found().pause() } else { try found().resume() }
            })
    }

    func checkpoint(
        to place: CheckpointPlace, leavesRunning: Bool, _ completion: @escaping Completion<Void>
    ) {
        var options = CheckpointOptions(place)
        options.leavesRunning = leavesRunning
        do throws(RuntimeError) {
            saving = (try CheckpointProcess.begin(found(), options), completion)
        } catch {
            completion(.failure(ShimError(error)))
        }
    }

    func update(_ resources: LinuxResources, _ completion: @escaping Completion<Void>) {
        completion(result { () throws(RuntimeError) in try found().update(resources: resources) })
    }

    func processes(_ completion: @escaping Completion<[Int32]>) {
        completion(result { () throws(RuntimeError) in try found().processes() })
    }

    func statistics(_ completion: @escaping Completion<CgroupStatistics>) {
        completion(.success(cgroup?.statistics() ?? CgroupStatistics()))
    }

    func delete(_ completion: @escaping Completion<Void>) {
        if let saving {
            // It is about to end, as there is nothing left to be saved.
            afterSaving = { [unowned self] in delete(completion) }
            loop.schedule(milliseconds: Self.savingPatience) { [weak self] in
                if self?.saving?.process === saving.process { saving.process.kill() }
            }
            return
        }
        let deleted = result { () throws(RuntimeError) in try runtime.delete(found()) }
        if case .success = deleted { removeRoot() }
        completion(deleted)
    }

    func childEnded(_ pid: Int32, code: Int32) -> Bool {
        guard let saving, saving.process.pid == pid else { return false }
        self.saving = nil
        saving.completion(saving.process.failure(code: code).map { .failure(ShimError($0)) } ?? .success(()))
        let removal = afterSaving
        afterSaving = nil
        removal?()
        return true
    }

    private func found() throws(RuntimeError) -> FoundContainer {
        guard let container else { throw RuntimeError(.notFound, "container does not exist: \(id)") }
        return container
    }

    private func result<T>(_ body: () throws(RuntimeError) -> T) -> Result<T, ShimError> {
        do throws(RuntimeError) {
            return .success(try body())
        } catch {
            return .failure(ShimError(error))
        }
    }
}

extension CheckpointOptions {
    /// What the engine's checkpoints have in common. CRIU leaves control groups alone: a restored container has the one
    /// that its configuration names, which need not be the one that was saved.
    init(_ place: CheckpointPlace) {
        self.init(imageDirectory: FilePath(place.images))
        workDirectory = FilePath(place.work)
        cgroupMode = .ignore
    }
}

extension RootfsMount {
    /// A mount as the engine describes it.
    init(_ mount: RootMount) {
        self.init(
            type: mount.type, source: mount.source, options: mount.options, target: mount.target,
            subpath: mount.subpath, failure: mount.failure)
    }
}
