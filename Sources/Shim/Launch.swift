import Cgroups
import ContainerRuntime
import Glibc
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

/// A container that has just been created, and all that the shim holds of it.
struct LaunchedContainer {
    var bundle: Bundle
    var configuration: ShimConfiguration
    var runtime: any OCIRuntime
    var loop: EventLoop
    var context: StreamContext
    var streams: ProcessStreams
    var log: JSONFileLog?
    var hasOwnPIDNamespace: Bool
    var pid: Int32
    /// The container's root directory, see `Shim.root`.
    var root: FileDescriptor?
    var listener: FileDescriptor
}

/// Creates the container: validate first, act then, undo everything if anything fails.
struct Launch {
    /// Nearly exempt: with the shim a container's log and exit status would be lost.
    private static let score = -999

    private let bundle: Bundle
    private let configuration: ShimConfiguration
    private let spec: Spec
    private var undo: [() -> Void] = []

    /// Reads what the engine has written into the bundle.
    init(bundle path: FilePath) throws(ShimError) {
        bundle = try Bundle(path)
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
    }

    /// Creates the container. After an error nothing is left of it.
    mutating func run() throws(ShimError) -> LaunchedContainer {
        do throws(ShimError) {
            return try create()
        } catch {
            revert()
            throw error
        }
    }

    /// Undoes everything, in the reverse order.
    mutating func revert() {
        while let step = undo.popLast() { step() }
    }

    private mutating func create() throws(ShimError) -> LaunchedContainer {
        try bundle.clear()
        let loop = try attempt("epoll_create") { () throws(Errno) in try EventLoop() }
        let log = try openLog()
        let directory = configuration.log.path.map { FilePath($0).removingLastComponent() } ?? bundle.path
        let context = try attempt("mmap") { () throws(Errno) in
            try StreamContext(loop: loop, spillDirectory: directory)
        }
        let streams = ProcessStreams(
            execID: nil, isTerminal: configuration.terminal, stdinOnce: configuration.stdinOnce, log: log,
            context: context)
        let listener = try bundle.listen()
        undo.append { [bundle] in
            listener.discard()
            bundle.removeSocket()
        }
        let runtime = makeRuntime(loop)
        runtime.scoreBefore = OutOfMemoryScore.get()
        let pid = try createContainer(runtime, streams)
        // May be refused to whoever is not privileged; then the shim is as likely a victim as others.
        try? OutOfMemoryScore.set(Self.score)
        try bundle.writeProcessIdentifier()
        // Without it the container's last process takes the mount away with it, which works as well.
        let root =
            runtime.needsRootHeld ? try? Files.open(FilePath("/proc/\(pid)/root"), [.path, .directory]) : nil
        return LaunchedContainer(
            bundle: bundle, configuration: configuration, runtime: runtime, loop: loop, context: context,
            streams: streams, log: log, hasOwnPIDNamespace: hasOwnPIDNamespace, pid: pid, root: root,
            listener: listener)
    }

    private mutating func openLog() throws(ShimError) -> JSONFileLog? {
        switch configuration.log.driver {
        case .none: return nil
        case .jsonFile: return try openFileLog()
        }
    }

    private mutating func openFileLog() throws(ShimError) -> JSONFileLog {
        guard let path = configuration.log.path else { throw ShimError(.invalid, "the log has no path") }
        let log = try attempt("open \(path)") { () throws(Errno) in
            try JSONFileLog(configuration.log, path: FilePath(path))
        }
        undo.append { log.removeIfNew() }
        return log
    }

    private func makeRuntime(_ loop: EventLoop) -> any OCIRuntime {
        guard let program = configuration.runtime else {
            return InProcessRuntime(configuration, bundle: bundle, cgroup: cgroup)
        }
        // It does not see version 2 beside version 1, and what it makes in its place is gone with the shim's mounts.
        let visible = try? cgroup.map { try Cgroup(path: $0.path, hierarchies: $0.hierarchies.withoutUnifiedBeside) }
        return ExternalRuntime(program, configuration, bundle: bundle, cgroup: visible, loop: loop)
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
        let started = try runtime.create(spec, streams: pipes)
        undo.append {
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

extension Launch {
    /// The launch has succeeded and will not be undone.
    mutating func forget() {
        undo = []
    }
}
