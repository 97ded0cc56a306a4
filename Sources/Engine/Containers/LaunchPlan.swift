import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import Snapshots
import SystemPackage
import Tasks

/// Everything one start needs, put together before anything is touched; `describe` then blocks and makes a task's
/// description of it.
struct LaunchPlan: Sendable {
    var record: ContainerRecord
    var configuration: EngineConfiguration
    var mounts: [SnapshotMount]
    /// The files of the root file system, which is not mounted yet.
    var view: SnapshotView
    var bundle: FilePath
    var files: FilePath
    var logPath: FilePath
    var sharedMemory: FilePath?
    /// What is done before the mounts of the specification, for volumes and images.
    var preparation: MountPreparation
    var targets: NamespaceTargets
    /// The hostname of the container whose network is joined.
    var hostname: String
    /// What the container has of networks.
    var network = LaunchNetwork()
    /// What its processes are made from, instead of executing its program.
    var checkpoint: CheckpointPlace?

    /// Says what is to run, and makes what it refers to. Blocks.
    func describe() throws -> TaskDescription {
        let user = try ContainerUser(
            record.configuration.user, groupAdd: record.configuration.host.groupAdd, files: LayeredFiles(view)
        )
        try makeBindSources()
        try preparation.checkParts()
        var settled = record.configuration
        settled.mountPoints = try MountPropagation.settled(settled.mountPoints)
        let spec = try SpecificationBuilder(configuration: settled, context: context(user: user)).build()
        try writeFiles()
        return try description(spec)
    }

    private var host: HostConfiguration { record.configuration.host }

    private func context(user: ContainerUser) -> SpecificationContext {
        var context = SpecificationContext(
            id: record.id, path: record.path, arguments: record.arguments, rootfs: bundle.appending("rootfs"),
            files: targets.networkFiles ?? files, user: user, hostname: hostname)
        context.ipcMode = targets.ipcMode
        context.cgroupNamespace = host.cgroupNamespaceMode
        context.pidTarget = targets.pid
        context.ipcTarget = targets.ipc
        context.networkTarget = targets.network
        context.networkNamespace = network.namespace
        context.sharedMemory = sharedMemory
        context.mountSources = preparation.sources
        context.shmSize = host.shmSize ?? configuration.defaultShmSize
        context.cgroupParent = host.cgroupParent.isEmpty ? configuration.cgroupParent : host.cgroupParent
        context.usesSystemdCgroups = configuration.usesSystemdCgroups
        context.initPath = host.`init` ?? configuration.initByDefault ? configuration.initPath : nil
        context.defaultUlimits = configuration.defaultUlimits
        context.linkEnvironment = network.linkEnvironment
        context.noNewPrivileges = configuration.noNewPrivileges
        context.defaultSeccomp = configuration.seccompProfile
        context.devices = configuration.devices
        return context
    }

    /// `-v` makes a source that does not exist, `--mount` never does (unless told so).
    private func makeBindSources() throws(EngineError) {
        for bind in record.configuration.mountPoints.compactMap(\.bind) {
            let source = FilePath(bind.path)
            if Files.exists(source) { continue }
            guard bind.makesSource else {
                throw .invalid(
                    "invalid mount config for type \"bind\": bind source path does not exist: \(bind.path)")
            }
            do throws(Errno) {
                try Files.makeDirectories(source)
            } catch {
                throw .invalid(
                    "error while creating mount source path '\(bind.path)': mkdir \(bind.path): \(error.words)")
            }
        }
    }

    private func writeFiles() throws(EngineError) {
        do {
            try Files.makeDirectories(files, mode: 0o710)
            if let sharedMemory, !Files.exists(sharedMemory) {
                try Files.makeDirectories(sharedMemory)
                let directory = try Files.open(sharedMemory, [.readOnly, .directory])
                defer { directory.discard() }
                try directory.changeMode(0o1777)
            }
            if targets.networkFiles == nil { try networkFiles.write() }
        } catch {
            throw .system("cannot write the files of container \(record.id) in \(files): \(error)")
        }
    }

    private var networkFiles: ContainerNetworkFiles {
        ContainerNetworkFiles(
            configuration: record.configuration, daemon: configuration, hostname: hostname, network: network,
            directory: files)
    }

    private func description(_ spec: Spec) throws(EngineError) -> TaskDescription {
        let runtime: ShimConfiguration.Runtime? =
            switch configuration.runtime(host.runtime) {
            case .builtIn: nil
            case .external(let program): ShimConfiguration.Runtime(path: program.path, arguments: program.arguments)
            case nil: throw .unknownRuntime(host.runtime)
            }
        let process = record.configuration
        return TaskDescription(
            spec,
            rootMounts: mounts.map {
                RootMount(type: $0.type, source: $0.source, options: $0.options, target: $0.target)
            } + preparation.rootMounts,
            input: process.openStdin ? (process.stdinOnce ? .once : .open) : .none,
            log: host.log.configuration(of: record, at: logPath), runtime: runtime,
            usesSystemdCgroup: configuration.usesSystemdCgroups, spillLimit: configuration.attachSpillLimit,
            publishedPorts: network.ports, resolver: networkFiles.resolver, checkpoint: checkpoint)
    }
}

/// The facts about other containers that a start needs.
struct NamespaceTargets: Sendable {
    var pid: Int32?
    var ipc: Int32?
    var network: Int32?
    /// The mode after following `container:` to a container with the host's.
    var ipcMode: IPCMode
    /// Directory of the network files of the container whose network is joined.
    var networkFiles: FilePath?
}
