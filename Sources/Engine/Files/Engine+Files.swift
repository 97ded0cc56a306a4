import Archive
import Images
import LinuxKernel
import OCISpec
import Snapshots
import Synchronization
import SystemPackage
import Tasks

/// What is known of a path in a container: what `X-Docker-Container-Path-Stat` carries.
package struct PathStatus: Hashable, Sendable {
    /// The path's last component; `/` for the root, `.` where the path ends with it.
    package var name: String
    /// In bytes.
    package var size: Int64
    /// Type and permission bits as stat(2) has them.
    package var mode: UInt32
    /// When the content was changed.
    package var modified: Timestamp
    /// Of a symbolic link: where it leads in the end, as far as that exists.
    package var linkTarget: String
}

/// A path that a container changed.
package struct FileChange: Hashable, Sendable {
    /// The numbers are those of Docker's API.
    package enum Kind: Int, Hashable, Sendable {
        case modified = 0
        case added = 1
        case deleted = 2
    }

    /// What happened to the file.
    package var kind: Kind
    /// Absolute.
    package var path: String
}

extension Engine {
    /// Writes a container's root file system as an archive, without what is mounted on it.
    package func export(_ name: String, to stream: FileDescriptor) async throws {
        let container = try services.registry.find(name)
        try container.refuseDead("export")
        do {
            try await container.transfers.run { transfer in
                try await container.readFiles(.root) { root in
                    let sink = DescriptorSink(stream, isCancelled: { transfer.isCancelled })
                    let archiver = TreeArchiver(isCancelled: { transfer.isCancelled }) {
                        (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in try sink.write(bytes)
                    }
                    try archiver.add(contentsOf: root)
                    try archiver.finish()
                    try sink.flush()
                }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw EngineError.system("Error exporting container \(name): \(EngineError(error).message)")
        }
        container.emit("export")
    }

    /// What a container changed in its root file system since it was made.
    package func changes(_ name: String) async throws -> [FileChange] {
        let container = try services.registry.find(name)
        return try await reporting { try await container.changes() }.map { change in
            let kind: FileChange.Kind =
                switch change.kind {
                case .modified: .modified
                case .added: .added
                case .deleted: .deleted
                }
            return FileChange(kind: kind, path: "/" + String(decoding: change.path, as: UTF8.self))
        }
    }

    /// Makes an image of a container's present files.
    ///
    /// - Parameters:
    /// - configuration: what containers of the image run, in place of the container's own; what it does not say is the
    ///     container's.
    ///   - changes: instructions of a Dockerfile, applied last.
    ///   - pauses: whether a running container stands still meanwhile.
    package func commit(
        _ name: String, reference: ImageReference?, configuration: ImageProcess? = nil, changes: [String] = [],
        author: String = "", comment: String = "", pauses: Bool = true
    ) async throws -> Digest {
        let container = try services.registry.find(name)
        try container.refuseDead("commit")
        return try await reporting {
            let own = ImageProcess(container.current.configuration)
            var description = CommitDescription(process: configuration.map { $0.merged(over: own) } ?? own)
            try description.process.apply(changes)
            description.reference = reference
            description.author = author
            description.comment = comment
            let id = try await container.commit(description, pauses: pauses)
            container.emit(
                "commit",
                ["comment": comment, "imageID": id.description, "imageRef": reference?.familiar ?? ""])
            await self.emit("create", id, name: id.description)
            if let reference { await self.emit("tag", id, name: reference.familiar) }
            return id
        }
    }

    /// Looks at a path in a container, without following a link in its last place.
    package func status(_ name: String, path: String) async throws -> PathStatus {
        let container = try services.registry.find(name)
        return try await locating(path, in: name) {
            try await container.transfers.run { _ in
                try await container.readFiles(.withVolumes) { root in try ContainerPath(path).status(in: root) }
            }
        }
    }

    /// Writes what is at a path in a container as an archive.
    package func archive(_ name: String, path: String, to stream: FileDescriptor) async throws {
        let container = try services.registry.find(name)
        try await locating(path, in: name) {
            try await container.transfers.run { transfer in
                try await container.readFiles(.withVolumes) { root in
                    let sink = DescriptorSink(stream, isCancelled: { transfer.isCancelled })
                    let archiver = TreeArchiver(isCancelled: { transfer.isCancelled }) {
                        (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in try sink.write(bytes)
                    }
                    try ContainerPath(path).add(to: archiver, in: root)
                    try archiver.finish()
                    try sink.flush()
                }
            }
        }
        container.emit("archive-path")
    }

    /// Unpacks an archive, compressed or not, into a directory in a container.
    ///
    /// - Parameters:
    ///   - replacesDirectories: whether a directory may take the place of something else, and the other way round.
    ///   - givesToUser: whether everything belongs to the container's user afterwards, if it has one.
    package func extract(
        _ name: String, path: String, replacesDirectories: Bool, givesToUser: Bool, from stream: FileDescriptor
    ) async throws {
        let container = try services.registry.find(name)
        let configuration = container.current.configuration
        var options = LayerApplier.Options()
        options.replacesDirectories = replacesDirectories
        options.isContested = true
        if givesToUser, !configuration.user.isEmpty {
            let view = try await reporting { try await images.view(key: container.id) }
            let user = try await services.pool.run {
                try ContainerUser(configuration.user, files: LayeredFiles(view))
            }
            options.ownership = .fixed(owner: user.uid, group: user.gid)
        }
        let chosen = options
        let change: @Sendable (FileDescriptor, Bool, FileDescriptor, FileTransfers.Transfer) throws -> Void = {
            root, isRunning, archive, transfer in
            let place = try ContainerPath(path).directory(in: root)
            try Self.checkWritable(place, configuration, isRunning: isRunning)
            var options = chosen
            options.prefix = Array(place.utf8.drop { $0 == UInt8(ascii: "/") })
            let source = DescriptorSource(archive, isCancelled: { transfer.isCancelled })
            let reader = TarReader(try Compression.decompressing(source).source)
            var applier = try LayerApplier(into: root.procPath, whiteouts: .literal, options: options)
            _ = try applier.apply(reader, isCancelled: { transfer.isCancelled })
            try reader.drain()
        }
        try await locating(path, in: name) {
            try await container.transfers.run { transfer in
                let spool = services.files
                let spooling: @Sendable () throws -> FileDescriptor = {
                    try SpooledBody.read(stream, in: spool, isCancelled: { transfer.isCancelled })
                }
                // What a running container is sent needs nobody's patience; the files of another one are its own to
                // change, which must not take as long as its client does.
                var body: FileDescriptor?
                defer { body?.discard() }
                if container.current.state.running == nil { body = try await services.transfers.run(spooling) }
                do {
                    let source = body
                    try await container.changeFiles { root, isRunning in
                        guard isRunning || source != nil else { throw HasStopped() }
                        try change(root, isRunning, source ?? stream, transfer)
                    }
                } catch is HasStopped {
                    let source = try await services.transfers.run(spooling)
                    body = source
                    try await container.changeFiles { try change($0, $1, source, transfer) }
                }
            }
        }
        container.emit("extract-to-dir")
    }

    /// A container ended before anything was read from its client.
    private struct HasStopped: Error {}

    /// Docker's rule and texts; what is mounted read-only would refuse by itself, but with other words.
    private static func checkWritable(
        _ path: String, _ configuration: ContainerConfiguration, isRunning: Bool
    ) throws(EngineError) {
        let mounted = MountList.places(configuration).filter { point in
            // What lies in memory is there only while the container runs.
            guard isRunning || point.kind != .tmpfs else { return false }
            return path == point.destination || path.hasPrefix(point.destination == "/" ? "/" : point.destination + "/")
        }
        if let mount = mounted.max(by: { $0.destination.utf8.count < $1.destination.utf8.count }) {
            guard mount.isWritable else { throw .invalid("mounted volume is marked read-only") }
        } else if configuration.host.readonlyRootfs {
            throw .invalid("container rootfs is marked read-only")
        }
    }

    /// Runs `body` and turns its errors into the engine's, a missing file into Docker's text for it.
    private func locating<T: Sendable>(
        _ path: String, in name: String, _ body: () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch let error as ContainerPath.Missing {
            _ = error
            throw EngineError(.notFound, "Could not find the file \(path) in container \(name)")
        } catch let error as ArchiveError {
            switch error {
            case .system(let operation, let entry, let errno):
                throw EngineError(.system, "\(operation) \(entry): \(errno.words)")
            case .refused: throw EngineError(.system, error.description)
            default: throw EngineError(.invalid, error.description)
            }
        } catch {
            throw EngineError(error)
        }
    }
}

extension Container {
    /// Throws Docker's text for a container that is not whole any more.
    nonisolated func refuseDead(_ operation: String) throws(EngineError) {
        switch current.state {
        case .dead: throw .conflict("You cannot \(operation) container \(id) which is Dead")
        case .removing: throw .conflict("You cannot \(operation) container \(id) which is being removed")
        default: return
        }
    }

    func changes() async throws -> [TreeChange] {
        try await transfers.run { _ in
            let live = try await liveMounts(.root)
            defer { live?.discard() }
            return try await services.images.changes(key: id, mountPoints: Self.mountPoints, live: live?.root)
        }
    }

    func commit(_ description: CommitDescription, pauses: Bool) async throws -> Digest {
        guard let image = Digest(record.imageID) else { throw EngineError.system("the container's image is unknown") }
        var description = description
        description.createdBy = (record.configuration.command ?? []).joined(separator: " ")
        // Of one that does not run the files are taken at once; it may start while the layer is made of them.
        if record.state.running == nil, case let layer = try await capture(), !layer.isCopied {
            return try await commit(image, layer, description)
        }
        // Not the user's pause: the next daemon ends it if this one is killed meanwhile.
        let held = pauses ? await hold() : nil
        let result: Result<Digest, any Error>
        do {
            let live = try await liveMounts(.root)
            defer { live?.discard() }
            result = .success(try await commit(image, .copied(live: live?.root), description))
        } catch {
            result = .failure(error)
        }
        if let held {
            // Done to its end also where nobody waits for the commit any more.
            await Task { await held.release() }.value
            emit("unpause")
        }
        return try result.get()
    }

    /// Lets a running container stand still; nil if it does not run, or stands still already.
    private func hold() async -> TaskHold? {
        guard let running = record.state.running, !running.isPaused, let task else { return nil }
        let hold: TaskHold
        do {
            hold = try await Task { try await task.hold() }.value
        } catch {
            // It has ended, or cannot be held: it is committed as it is, like Docker does.
            logger.debug("committing a container that could not be paused: \(error)")
            return nil
        }
        emit("pause")
        return hold
    }

    private func capture() async throws -> ContainerLayer {
        await gate.enter()
        defer { gate.leave() }
        try requireExistence()
        guard record.state.running == nil else { return .copied(live: nil) }
        // Whoever reads the files just now would lose them on the way.
        return try await transfers.excluding {
            try await services.images.capture(key: id, mountPoints: Self.mountPoints)
        } ?? .copied(live: nil)
    }

    private func commit(
        _ image: Digest, _ layer: ContainerLayer, _ description: CommitDescription
    ) async throws -> Digest {
        try await transfers.run { transfer in
            try await services.images.commit(
                key: id, image: image, mountPoints: Self.mountPoints, layer: layer, description,
                isCancelled: { transfer.isCancelled })
        }
    }
}
