import DNS
import OCISpec
import PublishedPorts

/// What a shim has to know beside the OCI configuration: the content of `shim.json` in the bundle.
///
/// The engine writes it, the shim reads it once at its start.
package struct ShimConfiguration: Codable, Hashable, Sendable {
    /// The container's full id.
    package var id: String
    /// Whether the container's process has a terminal; must be what `process.terminal` in `config.json` says.
    package var terminal: Bool
    /// Whether the container's standard input stays open for clients that attach; else it is `/dev/null`.
    package var openStdin: Bool
    /// Whether the first client that ends its input, or goes away, ends the container's.
    package var stdinOnce: Bool
    /// Where output is written.
    package var log: LogConfiguration
    /// What the root file system is made of (`Snapshots.mounts`), in order. Mounted by the container's own init.
    package var rootfsMounts: [RootMount]
    /// The `ContainerRuntime`'s root; `nil` is `runtime` in the bundle.
    package var runtimeRoot: String?
    /// A directory that shims share, for compiled system call filters; `nil` compiles them each time.
    package var filterCache: String?
    /// An OCI runtime to be executed; `nil` is our own, within the shim's process.
    package var runtime: Runtime?
    /// The container's control group, the same that `linux.cgroupsPath` in `config.json` names; `nil` is `/<id>`.
    package var cgroupPath: String?
    /// Whether systemd makes that control group, whose name then has the form `slice:prefix:name`.
    package var usesSystemdCgroup: Bool?
    /// The terminal's size at the start; `nil` leaves what `config.json` says.
    package var consoleSize: Box?
    /// How many bytes of output may wait on disk for all slow clients together, see `SpillBudget`; `nil` is the usual
    /// limit.
    package var spillLimit: Int64?
    /// The ports that the shim binds before it creates the container; `nil` for none.
    package var publishedPorts: PortPublication?
    /// What the container's resolver answers, in the network namespace that `linux.namespaces` in `config.json` joins,
    /// or else the container's own; `nil` for a container without one.
    package var resolver: ResolverConfiguration?
    /// What the container's processes are made from instead of executing its program; `nil` for a new run. They stand
    /// still until `start`, unless an external runtime has made them.
    package var checkpoint: CheckpointPlace?

    /// A configuration without terminal and standard input.
    package init(
        id: String, terminal: Bool = false, openStdin: Bool = false, stdinOnce: Bool = false,
        log: LogConfiguration = .none, rootfsMounts: [RootMount] = [], runtimeRoot: String? = nil,
        filterCache: String? = nil, runtime: Runtime? = nil, cgroupPath: String? = nil, usesSystemdCgroup: Bool? = nil,
        consoleSize: Box? = nil, spillLimit: Int64? = nil, publishedPorts: PortPublication? = nil,
        resolver: ResolverConfiguration? = nil, checkpoint: CheckpointPlace? = nil
    ) {
        self.id = id
        self.terminal = terminal
        self.openStdin = openStdin
        self.stdinOnce = stdinOnce
        self.log = log
        self.rootfsMounts = rootfsMounts
        self.runtimeRoot = runtimeRoot
        self.filterCache = filterCache
        self.runtime = runtime
        self.cgroupPath = cgroupPath
        self.usesSystemdCgroup = usesSystemdCgroup
        self.consoleSize = consoleSize
        self.spillLimit = spillLimit
        self.publishedPorts = publishedPorts
        self.resolver = resolver
        self.checkpoint = checkpoint
    }
}

/// Where a checkpoint is, or is to be.
package struct CheckpointPlace: Codable, Hashable, Sendable {
    /// The directory with the files that CRIU has made of the processes.
    package var images: String
    /// Where CRIU's log goes; made if it is not there.
    package var work: String

    /// Images in one directory and the log in another, both absolute paths.
    package init(images: String, work: String) {
        self.images = images
        self.work = work
    }
}

extension ShimConfiguration {
    /// The program of an OCI runtime.
    package struct Runtime: Codable, Hashable, Sendable {
        /// Its absolute path.
        package var path: String
        /// Flags it gets before its command, after the shim's own.
        package var arguments: [String]
        /// How many seconds it may take for one command; a shim does not wait for ever.
        package var patience: Int

        /// The program at `path`.
        package init(path: String, arguments: [String] = [], patience: Int = 60) {
            self.path = path
            self.arguments = arguments
            self.patience = patience
        }

        /// What it is called in messages.
        package var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    }
}

/// One mount of the container's root file system, in the terms of mount(8).
package struct RootMount: Codable, Hashable, Sendable {
    /// The file system's name, or `bind`.
    package var type: String
    /// The device, directory or mere name.
    package var source: String
    /// Options as in fstab(5).
    package var options: [String]
    /// A directory of the host to mount it on, seen in the container's mount namespace only; `nil` is the container's
    /// root. One that is not there is made.
    package var target: String?
    /// Only of the type `bind`: what is at this relative path in `source`, and nothing that lies outside of `source`,
    /// whoever changes the files meanwhile.
    package var subpath: String?
    /// How the message begins if it cannot be mounted; `nil` is for a part of the root.
    package var failure: String?

    /// A mount of `source`.
    package init(
        type: String, source: String, options: [String] = [], target: String? = nil, subpath: String? = nil,
        failure: String? = nil
    ) {
        self.type = type
        self.source = source
        self.options = options
        self.target = target
        self.subpath = subpath
        self.failure = failure
    }
}
