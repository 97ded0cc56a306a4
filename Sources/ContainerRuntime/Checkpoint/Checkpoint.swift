import Cgroups
import JSON
import LinuxKernel
import OCISpec
import SystemPackage

/// The saving of a container's processes to files, by CRIU.
struct Checkpoint {
    let record: StoredContainer
    let spec: Spec
    let options: CheckpointOptions

    /// What the container's standard streams were connected to, by the name that procfs has for it.
    static let descriptorsFile = "descriptors.json"
    private static let logFile = "dump.log"

    /// Saves them.
    ///
    /// - Parameter warn: Is told what CRIU's log says of an error.
    func run(warn: (String) -> Void) throws(RuntimeError) {
        let version = try CRIUProcess.version()
        try CRIUInterface.require(30000, version)
        let directories = try CRIUDirectories(options, makesImages: true)
        defer { directories.close() }
        let log = CRIULog(file: directories.logDirectory.appending(Self.logFile))
        if options.isPreDump { try CRIUProcess.check(CRIUFeatures(tracksMemory: true)) }
        var request = try criuOptions(version, directories)
        if options.isLazy {
            try CRIUProcess.check(CRIUFeatures(restoresLazily: true))
            // Later versions notify us instead.
            if let status = options.statusDescriptor, version < 31500 { request.statusDescriptor = status.rawValue }
        }
        if !options.isPreDump { try describeOutside(&request) }
        options.log?.debug("Using CRIU \(version)")
        do throws(RuntimeError) {
            try dump(request)
        } catch {
            throw log.explain(error, warn: warn)
        }
    }

    private func criuOptions(
        _ version: Int32, _ directories: CRIUDirectories
    ) throws(RuntimeError) -> CRIUOptions {
        var request = directories.options(
            options, root: FilePath(record.rootfs), logFile: Self.logFile, annotations: record.annotations)
        request.pid = record.pid
        request.leavesRunning = options.leavesRunning
        request.skipsTCPInFlight = options.skipsTCPInFlight
        request.remapsLinks = options.remapsLinks
        for namespace in spec.linux?.namespaces ?? [] {
            guard let path = namespace.path, !path.isEmpty, let key = CRIUInterface.externalKey(namespace.type) else {
                continue
            }
            try CRIUInterface.requireExternal(namespace.type, version, during: "checkpointing process")
            // The process's own file: who made the namespace may have given up the path since.
            let file = FilePath("/proc/\(record.pid)/ns/\(namespace.type.procName)")
            let status = try attempt("cannot look at the namespace \(file)", kind: .invalid) { () throws(Errno) in
                try FileStatus.of(file)
            }
            request.external.append("\(namespace.type.procName)[\(status.inode)]:\(key)")
        }
        if let cgroup = try record.cgroup(), !cgroup.isUnified || version >= 31400 {
            request.freezerGroup = cgroup.directory(of: "freezer")?.string
        }
        if let address = options.pageServerAddress { request.pageServer = (address, options.pageServerPort) }
        request.parentImage = options.parentImage
        return request
    }

    /// Says what is not in the container's namespaces, and puts down for the restorer what its streams are.
    private func describeOutside(_ request: inout CRIUOptions) throws(RuntimeError) {
        let mounts = ExternalMounts(
            spec: spec, bundle: FilePath(record.bundle), rootfs: FilePath(record.rootfs),
            tree: FilePath("/proc/\(record.pid)/root"), cgroup: try record.cgroup())
        request.externalMounts = try mounts.all().map { ($0.place, $0.place) }
        request.externalMounts += try mounts.maskedFiles(ofProcess: record.pid).map { ($0, "/dev/null") }
        let names = try ExternalStreams.names(ofProcess: record.pid, cgroup: record.cgroup())
        let file = options.imageDirectory.appending(Self.descriptorsFile)
        try attempt("cannot write \(file)") { () throws(Errno) in
            try Files.replace(file, with: JSONValue.array(names.map { .string($0) }).serialized())
        }
    }

    private func dump(_ request: CRIUOptions) throws(RuntimeError) {
        var status = options.isLazy ? options.statusDescriptor : nil
        let criu = try CRIUProcess.start()
        do throws(RuntimeError) {
            let kind: CRIURequest.Kind = options.isPreDump ? .preDump : .dump
            options.log?.debug("Using CRIU in \(kind.name) mode")
            _ = try criu.ask(CRIURequest(kind, options: request)) { (notification, descriptors) throws(RuntimeError) in
                for descriptor in descriptors { descriptor.discard() }
                options.log?.debug("notify: \(notification.script)")
                guard notification.script == "status-ready", let descriptor = status else { return }
                // If the caller has stopped waiting, it does not need the byte.
                try? descriptor.writeEntire([0])
                descriptor.discard()
                status = nil
            }
        } catch {
            // The first error is the one to tell.
            _ = try? criu.finish()
            throw error
        }
        let ended = try criu.finish()
        // After a pre-dump it would wait for the dump itself, and calls it an error that there is none.
        if let ended, ended != .exited(0), !options.isPreDump {
            throw RuntimeError(.system, "criu failed: \(ended.text)")
        }
    }
}

/// The standard streams of a container that lead out of it.
enum ExternalStreams {
    /// What the first process has as its streams. A pipe whose both ends are in the container is the container's own,
    /// and has no name here.
    static func names(ofProcess pid: Int32, cgroup: Cgroup?) throws(RuntimeError) -> [String] {
        var names: [String] = []
        for number in 0..<3 {
            // Closed, or not ours to see: nothing that could be given back.
            let link = try? FileDescriptor.workingDirectory.readSymlink("/proc/\(pid)/fd/\(number)")
            names.append(link ?? "")
        }
        guard names.contains(where: { $0.hasPrefix("pipe:") }) else { return names }
        let processes = try cgroup.map { group throws(RuntimeError) in
            try withCgroupErrors { () throws(CgroupError) in try group.processes() }
        }
        let own = pipesWithBothEnds(in: processes ?? [pid])
        return names.map { own.contains($0) ? "" : $0 }
    }

    private static func pipesWithBothEnds(in processes: [Int32]) -> Set<String> {
        var readers: Set<String> = []
        var writers: Set<String> = []
        for pid in processes {
            let directory = "/proc/\(pid)/fd"
            // Gone meanwhile.
            for number in (try? Files.names(in: FilePath(directory))) ?? [] {
                guard let link = try? FileDescriptor.workingDirectory.readSymlink("\(directory)/\(number)"),
                    link.hasPrefix("pipe:"),
                    // The link's own mode says what the descriptor is open for.
                    let status = try? FileStatus.of(FilePath("\(directory)/\(number)"), followingSymlinks: false)
                else { continue }
                if status.mode & 0o400 != 0 { readers.insert(link) }
                if status.mode & 0o200 != 0 { writers.insert(link) }
            }
        }
        return readers.intersection(writers)
    }
}
