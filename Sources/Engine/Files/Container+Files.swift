import Archive
import Images
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage

// A container's files, while it runs or not. They are never reached through the host's own mounts: of a running
// container the mounts are copied out of its name space, those of another one are made anew, each time in a name space
// that nobody else has.
extension Container {
    /// Which of a container's files are meant.
    enum FileScope: Sendable {
        /// Its root file system alone, without anything that is mounted on it.
        case root
        /// With binds and volumes, and the network files of a running container.
        case withVolumes
    }

    /// Runs `body` on a thread that may block, with a handle on the container's root, in order to read. Nothing in the
    /// container's life waits for it: of a container that does not run `body` sees a tree of its own upon the
    /// container's files.
    func readFiles<R: Sendable>(
        _ scope: FileScope, _ body: @escaping @Sendable (FileDescriptor) throws -> R
    ) async throws -> R {
        try requireExistence()
        let live = try await liveMounts(scope)
        defer { live?.discard() }
        let mounts = try await services.images.mounts(key: id)
        if let live {
            return try await services.transfers.run {
                try PrivateMounts.run("files") { trees in try body(trees.attach(live)) }
            }
        }
        return try await withIdleMounts(scope == .root ? [] : record.configuration.mountPoints) { idle in
            try await self.services.transfers.run {
                try PrivateMounts.run("files") { trees in
                    let root = try trees.mountForReading(mounts)
                    for mount in idle { try trees.attach(mount, in: root) }
                    return try body(root)
                }
            }
        }
    }

    /// The same in order to change files; `body` is told whether the container runs. One that does not is not started
    /// meanwhile, so that `body` must not wait for anybody.
    func changeFiles<R: Sendable>(
        _ body: @escaping @Sendable (_ root: FileDescriptor, _ isRunning: Bool) throws -> R
    ) async throws -> R {
        await gate.enter()
        let live: ForeignMounts?
        do {
            try requireExistence()
            live = try await liveMounts(.withVolumes)
        } catch {
            gate.leave()
            throw error
        }
        // A running container does not wait: what was copied is its own file system, not a second one on the same
        // files.
        let isHeld = live == nil
        if !isHeld { gate.leave() }
        defer {
            if isHeld { gate.leave() }
            live?.discard()
        }
        let mounts = try await services.images.mounts(key: id)
        if let live {
            return try await services.transfers.run {
                try PrivateMounts.run("files") { trees in try body(trees.attach(live), true) }
            }
        }
        return try await withIdleMounts(record.configuration.mountPoints) { idle in
            // Whoever holds the gate does not queue behind clients.
            try await self.services.pool.run {
                try PrivateMounts.run("files") { trees in
                    let root = try trees.mount(mounts)
                    for mount in idle { try trees.attach(mount, in: root) }
                    return try body(root, false)
                }
            }
        }
    }

    /// The mounts of a running container; nil if it does not run, or is not a process of this machine's kernel.
    func liveMounts(_ scope: FileScope) async throws -> ForeignMounts? {
        guard let running = record.state.running else { return nil }
        let points = MountList.places(record.configuration).map(\.destination)
        let paths = scope == .root ? [] : points + ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]
        let mounts = try await services.images.mounts(key: id)
        return try await services.pool.run {
            let process: PIDFD
            do throws(Errno) {
                process = try PIDFD.open(running.pid)
            } catch {
                return nil  // it has just ended
            }
            defer { process.close() }
            // The pid may be another process's by now: one that is not the shim's child is not the container's.
            guard (try? ProcessStatusFile.parent(of: running.pid)) == running.shimPID, Self.lives(process) else {
                return nil
            }
            let copied: ForeignMounts
            do {
                copied = try ForeignMounts.copy(of: process.descriptor, paths: Self.outermostFirst(paths))
            } catch let error as Errno {
                guard Self.lives(process) else { return nil }
                throw EngineError.system("cannot reach the files of container \(self.id): \(error)")
            }
            // In a sandbox with a kernel of its own the process's root is not the container's.
            if mounts.last?.type == "overlay", try FileSystemType.of(copied.root) != .overlay {
                copied.discard()
                return nil
            }
            return copied
        }
    }

    private static func lives(_ process: PIDFD) -> Bool {
        do throws(Errno) {
            try process.send(signal: 0)
            return true
        } catch {
            return false
        }
    }

    private static func outermostFirst(_ paths: [String]) -> [String] {
        Set(paths).sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    func requireExistence() throws(EngineError) {
        switch record.state {
        case .removing: throw .noSuchContainer(id)
        default: break
        }
    }

    /// What the runtime makes in a container's root in order to mount on it; Docker keeps the same out of sight in a
    /// layer of its own.
    static let mountPoints: Set<[UInt8]> = Set(
        [
            "dev", "dev/console", "dev/mqueue", "dev/pts", "dev/shm", "etc/hostname", "etc/hosts", "etc/mtab",
            "etc/resolv.conf", "proc", "sys", ".dockerenv",
        ].map { Array($0.utf8) })
}

extension PrivateMounts {
    /// Attaches what was copied of a running container.
    fileprivate func attach(_ live: ForeignMounts) throws -> FileDescriptor {
        let root = try attach(live.root)
        // The devices of a running container are not among its files. What is mounted below them needs a place all the
        // same, and whoever writes beside it gets an error.
        let hasPlacesInDev = live.others.contains { $0.path.hasPrefix("/dev/") }
        let devices =
            hasPlacesInDev && !live.others.contains { $0.path == "/dev" }
            ? try attachEmpty(at: "/dev", in: root) : nil
        for (path, tree) in live.others { try attach(tree, at: path, in: root) }
        if let devices { try Mounts.setAttributes(of: devices, set: .readOnly) }
        return root
    }
}
