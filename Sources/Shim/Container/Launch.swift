import Cgroups
import ContainerRuntime
import Failure
import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// Creates a container: validate first, act then, undo everything if anything fails.
struct Launch {
    private let shim: Shim
    private let bundle: Bundle
    private let configuration: ShimConfiguration
    private let spec: Spec
    private var undo = Undo<Undoing>()

    /// Reads what the engine has written into the bundle, and checks whether `shim` can have this container.
    init(_ bundle: Bundle, in shim: Shim) throws(ShimError) {
        self.shim = shim
        self.bundle = bundle
        configuration = try bundle.read(ShimConfiguration.self, from: ShimBundle.configuration)
        var spec = try bundle.readSpecification()
        guard spec.process != nil else { throw ShimError(.invalid, "\(ShimBundle.specification) has no process") }
        spec.process?.terminal = configuration.terminal
        if let size = configuration.consoleSize { spec.process?.consoleSize = size }
        if let path = configuration.cgroupPath {
            var linux = spec.linux ?? Linux()
            linux.cgroupsPath = path
            spec.linux = linux
        }
        self.spec = spec
        guard !shim.containers.isEmpty else { return }
        // They would find each other's mounts, as they work among those of the shim.
        guard configuration.runtime == nil, shim.containers.allSatisfy({ $0.runtime is InProcessRuntime }) else {
            throw ShimError(.conflict, "a shim whose container was made by an external runtime can have no other one")
        }
        guard configuration.checkpoint == nil else {
            throw ShimError(.conflict, "a container is restored from a checkpoint only in a shim of its own")
        }
        guard !shim.containers.contains(where: { $0.id == configuration.id }) else {
            throw ShimError(.conflict, "the shim has a container \(configuration.id) already; choose another id")
        }
        try bundle.clear()
    }

    /// Creates the container. After an error nothing is left of it.
    mutating func run() throws(ShimError) -> SupervisedContainer {
        shim.exemption.suspend()
        // With the shim a container's log and exit status would be lost.
        defer { shim.exemption.claim() }
        do throws(ShimError) {
            return try create()
        } catch {
            revert()
            throw error
        }
    }

    /// Undoes everything, in the reverse order.
    mutating func revert() { undo.run() }

    private mutating func create() throws(ShimError) -> SupervisedContainer {
        // First, as this fails most often, and costs least to be undone.
        let ports = try bindPorts()
        let log = try openLog()
        let directory = configuration.log.path.map { FilePath($0).removingLastComponent() } ?? bundle.path
        let spill = SpillBudget(directory: directory, limit: configuration.spillLimit ?? SpillBudget.usualLimit)
        let streams = ProcessStreams(
            containerID: configuration.id, execID: nil, isTerminal: configuration.terminal,
            stdinOnce: configuration.stdinOnce, log: log, spill: spill, context: shim.context)
        let runtime = makeRuntime()
        runtime.scoreBefore = shim.exemption.usual
        let pid = try createContainer(runtime, streams)
        try attempt("cannot open the network namespace of \(pid)") { () throws(Errno) in
            try ports?.enter(namespaceOf: pid)
        }
        let resolver = try startResolver(pid)
        // Without it the container's last process takes the mount away with it, which works as well.
        let root =
            runtime.needsRootHeld ? try? Files.open(FilePath("/proc/\(pid)/root"), [.path, .directory]) : nil
        return SupervisedContainer(
            configuration.id,
            SupervisedContainer.Parts(
                bundle: bundle, runtime: runtime, streams: streams, log: log, spill: spill,
                hasOwnPIDNamespace: hasOwnPIDNamespace, pid: pid, root: root, ports: ports, resolver: resolver),
            in: shim)
    }

    private mutating func bindPorts() throws(ShimError) -> PublishedSockets? {
        guard let publication = configuration.publishedPorts else { return nil }
        let ports = try PublishedSockets(
            publication, loop: shim.loop, buffer: shim.context.inputBuffer, descriptors: shim.context.descriptors)
        undo.add("published ports") { ports.close() }
        return ports
    }

    private mutating func openLog() throws(ShimError) -> ContainerLog? {
        guard let log = try ContainerLog(configuration.log) else { return nil }
        undo.add("log of \(configuration.id)") { log.discard() }
        return log
    }

    private func makeRuntime() -> any OCIRuntime {
        guard let program = configuration.runtime else {
            return InProcessRuntime(configuration, bundle: bundle, cgroup: cgroup, loop: shim.loop)
        }
        // It does not see version 2 beside version 1, and what it makes in its place is gone with the shim's mounts.
        let visible = try? cgroup.map { try Cgroup(path: $0.path, hierarchies: $0.hierarchies.withoutUnifiedBeside) }
        return ExternalRuntime(program, configuration, bundle: bundle, cgroup: visible, loop: shim.loop)
    }

    private mutating func createContainer(
        _ runtime: any OCIRuntime, _ streams: ProcessStreams
    ) throws(ShimError) -> Int32 {
        var spec = spec
        if spec.process?.oomScoreAdj == nil { spec.process?.oomScoreAdj = runtime.scoreBefore }
        let pipes: StandardPipes? =
            configuration.terminal
            ? nil
            : try attempt("pipe") { () throws(Errno) in
                try StandardPipes(
                    hasInput: configuration.openStdin, hasOutput: true, withoutDevices: runtime.changesStreams)
            }
        let started: StartedProcess
        if let checkpoint = configuration.checkpoint {
            started = try runtime.restore(spec, streams: pipes, from: checkpoint)
        } else {
            started = try runtime.create(spec, streams: pipes)
        }
        undo.add("container \(configuration.id)") {
            runtime.revert(started)
            streams.close()
        }
        pipes?.closeTheirs()
        try attempt("cannot open the container's streams") { () throws(Errno) in
            if let pipes { try streams.open(pipes) }
            if let console = started.console {
                try streams.open(console: console, wantsInput: configuration.openStdin)
            }
        }
        return started.pid
    }

    private mutating func startResolver(_ pid: Int32) throws(ShimError) -> NameService? {
        guard let resolver = configuration.resolver else { return nil }
        let joined = spec.linux?.namespaces?.first { $0.type == .network }?.path
        let service = try NameService.start(
            resolver, namespace: FilePath(joined ?? "/proc/\(pid)/ns/net"), context: shim.context)
        undo.add("resolver of \(configuration.id)") { service.close() }
        return service
    }

    private var cgroup: Cgroup? {
        // Without control groups there is nothing to be watched or counted; the runtime has its own opinion on that.
        guard let hierarchies = try? CgroupHierarchies.mounted() else { return nil }
        let path = spec.linux?.cgroupsPath
        do throws(CgroupError) {
            let name = path ?? configuration.id
            guard configuration.usesSystemdCgroup == true else {
                return try Cgroup(path: name, hierarchies: hierarchies)
            }
            let unit = try SystemdUnit(cgroupsPath: path, id: configuration.id, isUser: false)
            return try Cgroup(path: unit.path(), hierarchies: hierarchies)
        } catch {
            // What is wrong with the name the runtime says when it makes the group.
            return nil
        }
    }

    private var hasOwnPIDNamespace: Bool {
        spec.linux?.namespaces?.contains { $0.type == .pid && $0.path == nil } ?? false
    }
}
