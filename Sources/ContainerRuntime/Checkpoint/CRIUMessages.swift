import LinuxKernel

/// What CRIU is asked for (`criu_req` of its `rpc.proto`).
package struct CRIURequest {
    /// Kinds of requests and answers (`criu_req_type`).
    package enum Kind: UInt64, Hashable, Sendable {
        case empty, dump, restore, check, preDump, pageServer, notify, cpuInfoDump, cpuInfoCheck, featureCheck, version

        /// The name that users of CRIU know it by.
        package var name: String {
            switch self {
            case .empty: "EMPTY"
            case .dump: "DUMP"
            case .restore: "RESTORE"
            case .check: "CHECK"
            case .preDump: "PRE_DUMP"
            case .pageServer: "PAGE_SERVER"
            case .notify: "NOTIFY"
            case .cpuInfoDump: "CPUINFO_DUMP"
            case .cpuInfoCheck: "CPUINFO_CHECK"
            case .featureCheck: "FEATURE_CHECK"
            case .version: "VERSION"
            }
        }
    }

    /// What CRIU is asked to do.
    package var kind: Kind
    /// How; `nil` for requests that have no options.
    package var options: CRIUOptions?
    /// The answer to a notification.
    package var notificationSucceeded: Bool?
    /// Features that are asked about.
    package var features: CRIUFeatures?

    /// A request.
    package init(
        _ kind: Kind, options: CRIUOptions? = nil, notificationSucceeded: Bool? = nil, features: CRIUFeatures? = nil
    ) {
        self.kind = kind
        self.options = options
        self.notificationSucceeded = notificationSucceeded
        self.features = features
    }

    /// The message.
    package var bytes: [UInt8] {
        var writer = ProtocolBufferWriter()
        writer.add(1, kind.rawValue)
        if let options { writer.add(2, options.write) }
        if let notificationSucceeded { writer.add(3, notificationSucceeded) }
        if let features {
            writer.add(5) {
                if features.tracksMemory { $0.add(1, true) }
                if features.restoresLazily { $0.add(2, true) }
            }
        }
        return writer.bytes
    }
}

/// What a kernel and a CRIU together can do (`criu_features`).
package struct CRIUFeatures: Hashable, Sendable {
    /// Which pages have changed since the last look.
    package var tracksMemory: Bool
    /// Pages that are fetched when they are used.
    package var restoresLazily: Bool

    /// None, or those that are named.
    package init(tracksMemory: Bool = false, restoresLazily: Bool = false) {
        self.tracksMemory = tracksMemory
        self.restoresLazily = restoresLazily
    }
}

/// How CRIU is to work (`criu_opts`). Descriptors are the requesting process's, which CRIU opens through its procfs.
package struct CRIUOptions {
    /// Where the images are, or are to be.
    package var imageDirectory: Int32
    /// The process that the request, or the step, is about.
    package var pid: Int32?
    /// The processes go on after a dump.
    package var leavesRunning = false
    /// `ext_unix_sk`: Unix sockets whose other end is outside are no error.
    package var allowsExternalUnixSockets = false
    /// `tcp_established`: TCP connections are saved and made again.
    package var allowsEstablishedTCP = false
    package var hasEvasiveDevices = false
    /// `shell_job`: the processes have a terminal from outside.
    package var isShellJob = false
    /// `file_locks`.
    package var handlesFileLocks = false
    package var logFile: String
    /// Where pages are sent.
    package var pageServer: (address: String, port: Int32)?
    /// The root of the container on the host.
    package var root: String
    /// The earlier dump that has the unchanged pages, relative to the images.
    package var parentImage: String?
    /// `auto_dedup`: pages that a later dump has are dropped.
    package var deduplicates = false
    /// Where the log and other files of the work go.
    package var workDirectory: Int32?
    /// `link_remap`: files without a name get one for the time being.
    package var remapsLinks = false
    /// Mounts that are not CRIU's business: their place in the container, or the name they had, and what stands for
    /// them.
    package var externalMounts: [(key: String, value: String)] = []
    /// The control groups that take the place of those that were dumped.
    package var cgroupRoots: [(controller: String, path: String)] = []
    package var restoresAsSibling = false
    /// Descriptors of CRIU's process that take the place of what has these names.
    package var inheritedDescriptors: [(key: String, number: Int32)] = []
    /// What becomes of control groups.
    package var cgroupMode: CheckpointOptions.CgroupMode
    /// Resources that are not CRIU's business, by its names for them.
    package var external: [String] = []
    package var emptyNamespaces: Namespaces
    package var joinedNamespaces: [(name: String, file: String)] = []
    package var freezerGroup: String?
    /// `tcp_skip_in_flight`: connections that nobody has accepted yet are left out.
    package var skipsTCPInFlight = false
    /// `lazy_pages`: pages are sent or fetched when they are needed.
    package var isLazy = false
    /// Gets a null byte when pages can be fetched.
    package var statusDescriptor: Int32?
    package var configurationFile: String?
    /// `TYPE:NAME` of the profile to restore under.
    package var lsmProfile: String?
    /// The SELinux context to restore mounts with.
    package var lsmMountContext: String?

    /// Options that say what they must.
    package init(
        imageDirectory: Int32, root: String, logFile: String, cgroupMode: CheckpointOptions.CgroupMode,
        emptyNamespaces: Namespaces
    ) {
        self.imageDirectory = imageDirectory
        self.root = root
        self.logFile = logFile
        self.cgroupMode = cgroupMode
        self.emptyNamespaces = emptyNamespaces
    }

    func write(to writer: inout ProtocolBufferWriter) {
        writer.add(1, imageDirectory)
        if let pid { writer.add(2, pid) }
        writer.add(3, leavesRunning)
        writer.add(4, allowsExternalUnixSockets)
        writer.add(5, allowsEstablishedTCP)
        writer.add(6, hasEvasiveDevices)
        writer.add(7, isShellJob)
        writer.add(8, handlesFileLocks)
        // Everything: people read the log only after an error.
        writer.add(9, 4 as Int32)
        writer.add(10, logFile)
        if let pageServer {
            writer.add(11) {
                $0.add(1, pageServer.address)
                $0.add(2, pageServer.port)
            }
        }
        writer.add(12, true)
        writer.add(13, root)
        if let parentImage {
            writer.add(14, parentImage)
            // Or the next image would have to have all pages again.
            writer.add(15, true)
        }
        writer.add(16, deduplicates)
        if let workDirectory { writer.add(17, workDirectory) }
        writer.add(18, remapsLinks)
        for mount in externalMounts { Self.addPair(23, mount.key, mount.value, &writer) }
        writer.add(24, true)
        for group in cgroupRoots { Self.addPair(25, group.controller, group.path, &writer) }
        writer.add(26, restoresAsSibling)
        for descriptor in inheritedDescriptors {
            writer.add(27) {
                $0.add(1, descriptor.key)
                $0.add(2, descriptor.number)
            }
        }
        writer.add(34, cgroupMode.number)
        for name in external { writer.add(37, name) }
        writer.add(38, emptyNamespaces.rawValue)
        for namespace in joinedNamespaces { Self.addPair(39, namespace.name, namespace.file, &writer) }
        if let freezerGroup { writer.add(44, freezerGroup) }
        writer.add(46, skipsTCPInFlight)
        writer.add(48, isLazy)
        if let statusDescriptor { writer.add(49, statusDescriptor) }
        // The other side of the container's terminal is not in the container; we get it when it is made anew.
        writer.add(50, true)
        if let configurationFile { writer.add(51, configurationFile) }
        if let lsmProfile { writer.add(53, lsmProfile) }
        if let lsmMountContext { writer.add(63, lsmMountContext) }
    }

    private static func addPair(
        _ field: UInt64, _ first: String, _ second: String, _ writer: inout ProtocolBufferWriter
    ) {
        writer.add(field) {
            $0.add(1, first)
            $0.add(2, second)
        }
    }
}

extension CheckpointOptions.CgroupMode {
    /// The value of `criu_cg_mode`.
    var number: UInt64 {
        switch self {
        case .ignore: 0
        case .soft: 3
        case .full: 4
        case .strict: 5
        case .default: 6
        }
    }
}

/// What CRIU answers, or tells of its own accord while it works (`criu_resp`).
package struct CRIUResponse: Hashable, Sendable {
    /// A step that CRIU has come to.
    package struct Notification: Hashable, Sendable {
        package var script: String
        /// The process that the request, or the step, is about.
        package var pid: Int32?
    }

    /// The number of a `CRIURequest.Kind`, or one that is not known here.
    package var kind: UInt64
    package var hasSucceeded: Bool
    package var notification: Notification?
    package var errorNumber: Int32
    package var errorMessage: String?
    /// The answer to a question for features.
    package var features: CRIUFeatures?
    /// Major × 10000 + minor × 100 + sublevel.
    package var version: Int32?

    /// Reads a message.
    ///
    /// - Throws: if it is none, or lacks what every answer has.
    package init(_ bytes: [UInt8]) throws(ProtocolBufferFields.Malformed) {
        let fields = try ProtocolBufferFields(bytes)
        guard let kind = fields.number(1), let hasSucceeded = fields.bool(2) else { throw .init() }
        self.kind = kind
        self.hasSucceeded = hasSucceeded
        notification = try fields.message(5).map { Notification(script: $0.string(1) ?? "", pid: $0.int32(2)) }
        errorNumber = fields.int32(7) ?? 0
        features = try fields.message(8).map {
            CRIUFeatures(tracksMemory: $0.bool(1) ?? false, restoresLazily: $0.bool(2) ?? false)
        }
        errorMessage = fields.string(9)?.split(separator: "\n").first.map(String.init)
        version = try fields.message(10).map(Self.version)
    }

    private static func version(_ fields: ProtocolBufferFields) -> Int32 {
        let release = (fields.int32(1) ?? 0) &* 10000 &+ (fields.int32(2) ?? 0) &* 100
        // Built from sources after a release, it counts as the next one.
        if fields.string(3)?.isEmpty == false { return release &+ 100 }
        return release &+ (fields.int32(4) ?? 0)
    }

    /// The kind's name.
    package var kindName: String { CRIURequest.Kind(rawValue: kind)?.name ?? "\(kind)" }
}
