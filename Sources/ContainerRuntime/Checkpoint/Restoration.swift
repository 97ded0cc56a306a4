import Cgroups
import Failure
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// The making of a container from files that a checkpoint has written, by CRIU.
struct Restoration {
    let plan: CreationPlan
    /// `<root>/<id>`.
    let directory: FilePath
    let options: CheckpointOptions

    private static let logFile = "restore.log"
    private var rootMount: FilePath { directory.appending("criu-root") }

    /// Makes the container, which runs afterwards. After an error nothing of it is left.
    ///
    /// - Parameter warn: Is told what CRIU's log says of an error.
    func run(warn: (String) -> Void) throws(RuntimeError) -> StartedProcess {
        if Files.exists(directory) {
            throw RuntimeError(.conflict, "container with given ID already exists: \(plan.id)")
        }
        let names = try streamNames()
        let version = try CRIUProcess.version()
        try CRIUInterface.require(30000, version)
        if options.lsmProfile != nil, version < 31600 {
            throw RuntimeError(.system, "--lsm-profile requires at least CRIU 3.16")
        }
        if options.lsmMountContext != nil, version < 31600 {
            throw RuntimeError(.system, "--lsm-mount-context requires at least CRIU 3.16")
        }
        guard plan.unit == nil else {
            throw RuntimeError(.invalid, "restore does not work with control groups by systemd (--systemd-cgroup)")
        }
        let directories = try CRIUDirectories(options, makesImages: false)
        defer { directories.close() }
        try StateDirectory.make(directory, id: plan.id)
        var made = Made()
        made.undo.add("state directory \(directory)") { [directory] in try StateDirectory.remove(directory) }
        do throws(RuntimeError) {
            return try restore(version, directories, names, &made)
        } catch {
            made.revert()
            let log = CRIULog(file: directories.logDirectory.appending(Self.logFile))
            throw log.explain(error, warn: warn)
        }
    }

    /// What has been made.
    private struct Made {
        var criu: CRIUProcess?
        /// The container's process.
        var process: Int32?
        /// The master side of its terminal.
        var console: FileDescriptor?
        /// All else, which can be taken back only once nobody is in it.
        var undo = Undo<Undoing>()

        mutating func revert() {
            // Each is tried whatever becomes of the others; the error that is reported is the one that led here.
            _ = try? criu?.finish()
            if let process {
                // CRIU may have ended it.
                try? Signals.send(Signal.kill.rawValue, to: process)
                _ = try? ProcessControl.wait(for: process)  // As above.
            }
            console?.discard()
            undo.run()
        }
    }

    private func restore(
        _ version: Int32, _ directories: CRIUDirectories, _ streamNames: [String], _ made: inout Made
    ) throws(RuntimeError) -> StartedProcess {
        var request = directories.options(
            options, root: rootMount, logFile: Self.logFile, annotations: plan.spec.annotations)
        // CRIU's process opens them itself, among its own mounts.
        request.imageDirectory = CRIUProcess.firstDescriptor
        request.workDirectory = options.workDirectory == nil ? nil : CRIUProcess.firstDescriptor + 1
        let free = CRIUProcess.firstDescriptor + Int32(directories.descriptors.count)
        request.hasEvasiveDevices = true
        request.restoresAsSibling = true
        request.lsmProfile = options.lsmProfile
        request.lsmMountContext = options.lsmMountContext
        var descriptors: [FileDescriptor] = []
        defer { for descriptor in descriptors { descriptor.discard() } }
        try joinNamespaces(version, &request, &descriptors, from: free)
        for (number, name) in streamNames.enumerated() where name.hasPrefix("pipe:") {
            request.inheritedDescriptors.append((name, Int32(number)))
        }
        try makeMountPoints()
        if let cgroup = plan.cgroup {
            try withCgroupErrors { () throws(CgroupError) in try cgroup.create() }
            made.undo.add("control group \(cgroup.path)") { try cgroup.remove() }
        }
        try describeOutside(&request)

        let criu = try startCRIU(descriptors)
        made.criu = criu
        try writeRecord(criu.pid, version: nil)
        try enterCgroup(criu.pid, &request)
        options.log?.debug("Using CRIU \(version)")
        options.log?.debug("Using CRIU in RESTORE mode")
        _ = try criu.ask(CRIURequest(.restore, options: request)) { (notification, received) throws(RuntimeError) in
            options.log?.debug("notify: \(notification.script)")
            switch notification.script {
            case "orphan-pts-master":
                made.console?.discard()
                made.console = received.first
                for descriptor in received.dropFirst() { descriptor.discard() }
                return
            case "setup-namespaces":
                try plan.runRuntimeHooks(notification.pid)
            case "post-restore":
                made.process = notification.pid
                if let pid = notification.pid { try writeRecord(pid, version: version) }
            default: break
            }
            for descriptor in received { descriptor.discard() }
        }
        made.criu = nil
        if let ended = try criu.finish(), ended != .exited(0) {
            throw RuntimeError(.system, "criu failed: \(ended.text)")
        }
        guard let pid = made.process else {
            throw RuntimeError(.system, "criu failed: it did not say which process it restored")
        }
        try finish(pid, &made)
        var process = StartedProcess(pid: pid, console: made.console)
        process.container = FoundContainer(
            record: try StoredContainer.read(from: directory, id: plan.id), directory: directory)
        return process
    }

    private func finish(_ pid: Int32, _ made: inout Made) throws(RuntimeError) {
        if let file = plan.options.pidFile {
            try attempt("cannot write the pid file \(file)") { () throws(Errno) in
                try Files.replace(file, with: Array("\(pid)".utf8), mode: 0o644)
            }
            made.undo.add("pid file \(file)") { try Files.remove(file) }
        }
        try attempt("removing \(rootMount)") { () throws(Errno) in try Files.removeDirectory(rootMount) }
        try StoredContainer.complete(in: directory)
    }

    // MARK: Before

    /// What the standard streams were connected to.
    private func streamNames() throws(RuntimeError) -> [String] {
        let file = options.imageDirectory.appending(Checkpoint.descriptorsFile)
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.read(file)
        } catch {
            throw RuntimeError(.invalid, "open \(file): \(error.words)")
        }
        do throws(JSONError) {
            // A stream that was closed has no name.
            return try JSON.parse(bytes).array?.map { $0.string ?? "" } ?? []
        } catch {
            throw RuntimeError(.invalid, "cannot read \(file): \(error)")
        }
    }

    /// Namespaces that exist already: those of the network and of processes are handed over, the others joined.
    private func joinNamespaces(
        _ version: Int32, _ request: inout CRIUOptions, _ descriptors: inout [FileDescriptor], from number: Int32
    ) throws(RuntimeError) {
        for namespace in plan.linux.namespaces ?? [] {
            guard let path = namespace.path, !path.isEmpty else { continue }
            guard let key = CRIUInterface.externalKey(namespace.type) else {
                guard namespace.type != .cgroup else {
                    throw RuntimeError(.invalid, "criu cannot restore into the cgroup namespace \(path)")
                }
                request.joinedNamespaces.append((namespace.type.procName, path))
                continue
            }
            try CRIUInterface.requireExternal(namespace.type, version, during: "restoration process")
            do throws(Errno) {
                let file = try Files.open(FilePath(path), .readOnly)
                request.inheritedDescriptors.append((key, number + Int32(descriptors.count)))
                descriptors.append(file)
            } catch {
                throw RuntimeError(
                    .invalid, "Requested \(namespace.type.rawValue) namespace \(path) does not exist: \(error.words)")
            }
        }
    }

    /// Makes places for mounts in the root, as the creation of the container would. CRIU makes none.
    ///
    /// That takes mounting, since a place may be in what is mounted before, and therefore a process with mounts of its
    /// own.
    private func makeMountPoints() throws(RuntimeError) {
        let helper = try ForkedTask.start("cannot make places for mounts") { () throws(RuntimeError) in
            try leaveMounts(.private)
            let root = try RootFilesystem(plan)
            let all = plan.spec.mounts ?? []
            let fileSystems = all.filter { $0.type == "tmpfs" && !$0.isBind }.map(\.destination)
            for mount in all where mount.type != "cgroup" && mount.type != "cgroup2" {
                // It comes back with all that is in it.
                if fileSystems.contains(where: { mount.destination.hasPrefix("\($0)/") }) { continue }
                guard mount.isBind else {
                    try root.directory(mount.destination).discard()
                    continue
                }
                try root.add(mount, cgroup: nil) { () throws(RuntimeError) in
                    let source = mount.path(from: plan.bundle)
                    return try attempt("cannot open \(source)", kind: .invalid) { () throws(Errno) in
                        try Mounts.cloneTree(source, recursive: true)
                    }
                }
            }
        }
        let status = try attempt("cannot make places for mounts") { () throws(Errno) in
            try ProcessControl.wait(for: helper)?.status
        }
        guard status == .exited(0) else {
            throw RuntimeError(.system, "the process that makes places for mounts ended unexpectedly")
        }
    }

    /// Gives the calling process mounts of its own.
    private func leaveMounts(_ propagation: MountFlags) throws(RuntimeError) {
        try attempt("cannot make a mount namespace") { () throws(Errno) in
            try Namespaces.mount.unshare()
            try Mounts.mount(nil, on: "/", flags: [propagation, .recursive])
        }
    }

    private func describeOutside(_ request: inout CRIUOptions) throws(RuntimeError) {
        let mounts = ExternalMounts(
            spec: plan.spec, bundle: plan.bundle, rootfs: plan.rootfs, tree: plan.rootfs, cgroup: plan.cgroup)
        request.externalMounts = try mounts.all().map { ($0.place, $0.source) }
        if plan.linux.maskedPaths?.isEmpty == false { request.externalMounts.append(("/dev/null", "/dev/null")) }
    }

    /// Starts CRIU in a mount namespace of its own. It wants the root to be a mount point with nothing over it; this
    /// way the host never sees that mount, and it cannot be left behind.
    private func startCRIU(_ descriptors: [FileDescriptor]) throws(RuntimeError) -> CRIUProcess {
        let root = rootMount
        try attempt("cannot make \(root)") { () throws(Errno) in try Files.makeDirectory(root, mode: 0o755) }
        let streams = plan.process.terminal == true ? nil : plan.options.streams
        return try CRIUProcess.start(descriptors: descriptors, streams: streams) { () throws(RuntimeError) in
            try leaveMounts(.slave)
            try attempt("cannot mount the root file system \(plan.rootfs)", kind: .invalid) { () throws(Errno) in
                try Mounts.mount(plan.rootfs.string, on: root, flags: [.bind, .recursive])
            }
            return try CRIUDirectories(options, makesImages: false).descriptors
        }
    }

    /// Puts CRIU, and so what it restores, into the container's group with its limits.
    private func enterCgroup(_ pid: Int32, _ request: inout CRIUOptions) throws(RuntimeError) {
        let resources = plan.linux.resources ?? LinuxResources()
        guard let cgroup = plan.cgroup else {
            guard resources.isOnlyAboutDevices else {
                throw RuntimeError(.invalid, "limits cannot be set without a control group")
            }
            return
        }
        try withCgroupErrors { () throws(CgroupError) in
            try cgroup.add(pid: pid)
            if !resources.isEmpty { try cgroup.apply(resources.withDefaultDevices) }
        }
        let membership = try attempt("cannot read the control groups of criu") { () throws(Errno) in
            try Files.readText(FilePath("/proc/\(pid)/cgroup"))
        }
        for line in membership.split(separator: "\n") {
            // hierarchy-id:controllers:path
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            for controller in fields[1].split(separator: ",", omittingEmptySubsequences: false) {
                request.cgroupRoots.append((String(controller), String(fields[2])))
            }
        }
    }

    // MARK: Meanwhile

    /// Writes the state with the process `pid`: at first that is CRIU, with which all the rest could be found and
    /// removed if this process were killed.
    ///
    /// - Parameter version: CRIU's, once the container is there.
    private func writeRecord(_ pid: Int32, version: Int32?) throws(RuntimeError) {
        guard let times = ProcessTimes.of(pid) else {
            throw RuntimeError(.system, "criu failed: process \(pid) ended unexpectedly")
        }
        var record = StoredContainer(plan, pid: pid, startTime: times.startTime)
        // From 3.14 on its clocks go on where they stopped, in a time namespace that the configuration does not have.
        if let version, version >= 31400, !record.namespaces.contains(.time), Files.exists("/proc/self/ns/time") {
            record.namespaces.append(.time)
        }
        if version != nil {
            let provisional = directory.appending(StoredContainer.provisionalFileName)
            try attempt("removing \(provisional)") { () throws(Errno) in try Files.remove(provisional) }
        }
        try record.write(to: directory)
    }
}
