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
    private let rootfsMounts: [RootfsMount]
    private let usesSystemdCgroup: Bool
    private let runtime: ContainerRuntime
    /// The container, once it has been created. Nothing is read from its directory again: somebody may have removed it.
    private var container: FoundContainer?
    let cgroup: Cgroup?
    let needsRootHeld = true
    let changesStreams = false
    let isBusy = false
    var scoreBefore: Int?

    init(_ configuration: ShimConfiguration, bundle: Bundle, cgroup: Cgroup?) {
        id = configuration.id
        self.bundle = bundle.path
        rootfsMounts = configuration.rootfsMounts.map(RootfsMount.init)
        usesSystemdCgroup = configuration.usesSystemdCgroup == true
        runtime = ContainerRuntime(
            root: bundle.runtimeRoot(configuration), filterCache: configuration.filterCache.map { FilePath($0) })
        self.cgroup = cgroup
    }

    func create(_ spec: Spec, streams: StandardPipes?) throws(ShimError) -> StartedProcess {
        var options = CreateOptions()
        options.rootfsMounts = rootfsMounts
        if usesSystemdCgroup { options.cgroupDriver = .systemd(isUser: false) }
        if let streams { options.streams = streams.streams }
        do throws(RuntimeError) {
            let process = try runtime.create(id: id, bundle: bundle, spec: spec, options: options)
            container = process.container
            return process
        } catch {
            removeRoot()
            throw ShimError(error)
        }
    }

    func revert(_ process: StartedProcess) {
        // As the protocol says.
        try? runtime.delete(id, force: true)
        _ = try? ProcessControl.wait(for: process.pid)
        removeRoot()
    }

    /// Only if it is empty: other containers may be there.
    private func removeRoot() {
        try? Files.removeDirectory(runtime.root)
    }

    func start(_ completion: @escaping Completion<Void>) {
        completion(result { () throws(RuntimeError) in try runtime.start(id) })
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
        let deleted = result { () throws(RuntimeError) in try runtime.delete(found()) }
        if case .success = deleted { removeRoot() }
        completion(deleted)
    }

    func childEnded(_ pid: Int32, code: Int32) -> Bool { false }

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

extension RootfsMount {
    /// A mount as the engine describes it.
    init(_ mount: RootMount) {
        self.init(
            type: mount.type, source: mount.source, options: mount.options, target: mount.target,
            subpath: mount.subpath, failure: mount.failure)
    }
}
