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
            return try runtime.create(id: id, bundle: bundle, spec: spec, options: options)
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
            result { () throws(RuntimeError) in try runtime.exec(id, process: process, options: options) })
    }

    func kill(_ signal: Int32, all: Bool, _ completion: @escaping Completion<Void>) {
        // In a frozen cgroup of version 1 even SIGKILL waits for the thaw, which is included.
        completion(result { () throws(RuntimeError) in try runtime.kill(id, signal: signal, all: all) })
    }

    func setPaused(_ isPaused: Bool, _ completion: @escaping Completion<Void>) {
        completion(
            result { () throws(RuntimeError) in
                if isPaused { try runtime.pause(id) } else { try runtime.resume(id) }
            })
    }

    func update(_ resources: LinuxResources, _ completion: @escaping Completion<Void>) {
        completion(result { () throws(RuntimeError) in try runtime.update(id, resources: resources) })
    }

    func processes(_ completion: @escaping Completion<[Int32]>) {
        completion(result { () throws(RuntimeError) in try runtime.processes(id) })
    }

    func statistics(_ completion: @escaping Completion<CgroupStatistics>) {
        completion(.success(cgroup?.statistics() ?? CgroupStatistics()))
    }

    func delete(_ completion: @escaping Completion<Void>) {
        let deleted = result { () throws(RuntimeError) in try runtime.delete(id, force: true) }
        if case .success = deleted { removeRoot() }
        completion(deleted)
    }

    func childEnded(_ pid: Int32, code: Int32) -> Bool { false }

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
        self.init(type: mount.type, source: mount.source, options: mount.options, target: mount.target)
    }
}
