import ContainerRuntime
import Flags
import LinuxKernel
import SystemPackage

/// `checkpoint` and `restore`.
enum CheckpointCommands {
    private static let imagePath = Flag.string("image-path", type: "path", "path for saving criu image files")
    private static let imagesToRestore = Flag.string(
        "image-path", type: "path", "path to criu image files for restoring")
    private static let workPath = Flag.string("work-path", type: "path", "path for saving work files and logs")
    private static let parentPath = Flag.string(
        "parent-path", type: "path", "path for previous criu image files in pre-dump")
    private static let leaveRunning = Flag.boolean(
        "leave-running", "leave the process running after checkpointing")
    private static let tcpEstablished = Flag.boolean("tcp-established", "allow open tcp connections")
    private static let tcpSkipInFlight = Flag.boolean("tcp-skip-in-flight", "skip in-flight tcp connections")
    private static let linkRemap = Flag.boolean(
        "link-remap", "allow one to link unlinked files back when possible")
    private static let externalUnixSockets = Flag.boolean("ext-unix-sk", "allow external unix sockets")
    private static let shellJob = Flag.boolean("shell-job", "allow shell jobs")
    private static let lazyPages = Flag.boolean("lazy-pages", "use userfaultfd to lazily restore memory pages")
    private static let statusFD = Flag.integer(
        "status-fd", "criu writes \\0 to this FD once lazy-pages is ready", default: -1)
    private static let pageServer = Flag.string("page-server", type: "value", "ADDRESS:PORT of the page server")
    private static let fileLocks = Flag.boolean("file-locks", "handle file locks, for safety")
    private static let preDump = Flag.boolean(
        "pre-dump", "dump container's memory information only, leave the container running after this")
    private static let cgroupsMode = Flag.string(
        "manage-cgroups-mode", type: "value", "cgroups mode: soft|full|strict|ignore (default: soft)")
    private static let emptyNS = Flag.list("empty-ns", "create a namespace, but don't restore its properties")
    private static let autoDedup = Flag.boolean("auto-dedup", "enable auto deduplication of memory images")
    private static let lsmProfile = Flag.string(
        "lsm-profile", type: "value", "Specify an LSM profile to be used during restore in the form of TYPE:NAME.")
    private static let lsmMountContext = Flag.string(
        "lsm-mount-context", type: "value", "Specify an LSM mount context to be used during restore.")

    static let checkpoint = Command(
        "checkpoint", operands: "CONTAINER", arity: .exactly(1), "Save a running container to files (with CRIU)",
        flags: {
            [
                imagePath, workPath, parentPath, leaveRunning, tcpEstablished, tcpSkipInFlight, linkRemap,
                externalUnixSockets, shellJob, lazyPages, statusFD, pageServer, fileLocks, preDump, cgroupsMode,
                emptyNS, autoDedup,
            ]
        },
        action: { invocation in
            let flags = invocation.flags
            let log = ErrorLog(flags)
            var options = try commonOptions(invocation)
            options.parentImage = try parentImage(flags[parentPath], images: options.imageDirectory)
            options.leavesRunning = flags[leaveRunning]
            options.skipsTCPInFlight = flags[tcpSkipInFlight]
            options.remapsLinks = flags[linkRemap]
            options.isPreDump = flags[preDump]
            if options.isLazy { options.statusDescriptor = try statusDescriptor(flags[statusFD]) }
            if let server = try PageServerAddress(flags[pageServer]) {
                options.pageServerAddress = server.host
                options.pageServerPort = server.port
            }
            try RuntimeCommands.runtime(invocation).checkpoint(
                invocation.operands[0], options: options, warn: { log.warn($0) })
            return 0
        })

    static let restore = Command(
        "restore", operands: "CONTAINER", arity: .exactly(1), "Restore a container that \"checkpoint\" saved",
        flags: {
            [
                CreationCommands.consoleSocket, imagesToRestore, workPath, tcpEstablished, externalUnixSockets,
                shellJob,
                fileLocks, cgroupsMode, CreationCommands.bundle, CreationCommands.detach, CreationCommands.pidFile,
                CreationCommands.noSubreaper, CreationCommands.noPivot, emptyNS, autoDedup, lazyPages, lsmProfile,
                lsmMountContext,
            ]
        },
        action: { invocation in
            let flags = invocation.flags
            let id = invocation.operands[0]
            let log = ErrorLog(flags)
            var options = try commonOptions(invocation)
            options.lsmProfile = flags[lsmProfile].isEmpty ? nil : flags[lsmProfile]
            options.lsmMountContext = flags[lsmMountContext].isEmpty ? nil : flags[lsmMountContext]
            let (spec, directory, creation) = try CreationCommands.arguments(invocation)
            let socket = flags[CreationCommands.consoleSocket]
            let isDetached = flags[CreationCommands.detach]
            try ConsoleSocket.check(terminal: spec.process?.terminal == true, detached: isDetached, socket: socket)
            let runtime = try RuntimeCommands.runtime(invocation)
            let warn: (String) -> Void = { log.warn($0) }
            let foreground = isDetached ? nil : try Foreground()
            let process = try runtime.restore(
                id: id, bundle: directory, spec: spec, options: creation, checkpoint: options, warn: warn)
            guard let foreground else {
                do {
                    if let console = process.console { try ConsoleSocket.send(console, to: socket) }
                } catch {
                    // A container whose terminal no program has is of no use. The error says what went wrong.
                    try? runtime.delete(id, force: true, spec: spec, warn: warn)
                    throw error
                }
                return 0
            }
            let ending = try foreground.follow(process)
            try runtime.delete(id, force: true, spec: spec, warn: warn)
            return try ending.status()
        })

    /// What both take.
    private static func commonOptions(_ invocation: Invocation) throws(RuntimeError) -> CheckpointOptions {
        let flags = invocation.flags
        let images = flags[imagePath]
        var options = CheckpointOptions(
            imageDirectory: RuntimeCommands.absolute(images.isEmpty ? "checkpoint" : images))
        options.workDirectory = RuntimeCommands.optionalPath(workPath, invocation)
        options.allowsEstablishedTCP = flags[tcpEstablished]
        options.allowsExternalUnixSockets = flags[externalUnixSockets]
        options.isShellJob = flags[shellJob]
        options.handlesFileLocks = flags[fileLocks]
        options.deduplicates = flags[autoDedup]
        options.isLazy = flags[lazyPages]
        guard let mode = CheckpointOptions.CgroupMode(rawValue: flags[cgroupsMode]) else {
            throw RuntimeError(.invalid, "invalid manage-cgroups-mode value: \(flags[cgroupsMode])")
        }
        options.cgroupMode = mode
        // The content of a network namespace is always left to the program that made it.
        for name in flags[emptyNS] where name != "network" {
            throw RuntimeError(.invalid, "namespace \"\(name)\" is not supported")
        }
        options.log = ErrorLog(flags).runtimeLog
        if ProcessAttributes.uid != 0 {
            ErrorLog(flags).warn("\(invocation.command.name) is untested with rootless containers")
        }
        return options
    }

    /// The images of an earlier dump, which CRIU finds by a link next to the new ones.
    private static func parentImage(_ path: String, images: FilePath) throws(RuntimeError) -> String? {
        guard !path.isEmpty else { return nil }
        guard !path.hasPrefix("/") else { throw RuntimeError(.invalid, "--parent-path must be relative") }
        let parent = images.appending(FilePath(path).components).lexicallyNormalized()
        do throws(Errno) {
            guard try FileStatus.of(parent).isDirectory else { throw Errno.notDirectory }
        } catch {
            throw RuntimeError(.invalid, "invalid --parent-path: stat \(parent): \(error.description.lowercased())")
        }
        return path
    }

    private static func statusDescriptor(_ number: Int) throws(RuntimeError) -> FileDescriptor? {
        guard number != -1 else { return nil }
        let descriptor = FileDescriptor(rawValue: Int32(clamping: number))
        let isWritable: Bool
        do throws(Errno) {
            isWritable = try descriptor.isWritable()
        } catch {
            throw RuntimeError(.invalid, "invalid --status-fd argument \(number): \(error)")
        }
        guard isWritable else {
            throw RuntimeError(.invalid, "invalid --status-fd argument \(number): not writable")
        }
        return descriptor
    }
}

/// An address as `--page-server` has it: `HOST:PORT`, a host with colons in brackets.
struct PageServerAddress: Hashable {
    let host: String
    let port: Int32

    /// `nil` if there is none.
    init?(_ text: String) throws(RuntimeError) {
        if text.isEmpty { return nil }
        let wrong = RuntimeError(.invalid, "Use --page-server ADDRESS:PORT to specify page server")
        guard let colon = text.lastIndex(of: ":") else { throw wrong }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw wrong
        }
        let digits = text[text.index(after: colon)...]
        guard !host.isEmpty, !digits.isEmpty else { throw wrong }
        guard let port = UInt16(digits) else { throw RuntimeError(.invalid, "Invalid port number") }
        self.host = String(host)
        self.port = Int32(port)
    }
}
