import LinuxKernel
import ShimProtocol
import SystemPackage
import Tasks

// The shim has the checkpoint made, as it is the parent of the container's processes and is that of restored ones.
// What CRIU writes is a directory with the checkpoint's name; there is nothing in the database.
extension Container {
    /// Where its checkpoints are unless a client says otherwise. They go with the container.
    nonisolated private var checkpointDirectory: FilePath { files.appending("checkpoints") }
    /// Where CRIU's logs are.
    nonisolated private var checkpointLogs: FilePath { files.appending("criu") }

    /// Saves its processes. Unless they are to go on, the container has ended when this returns, and no restart policy
    /// starts it again.
    ///
    /// - Parameter name: What the client calls the container.
    func checkpoint(to choice: CheckpointChoice, leavesRunning: Bool, name: String) async throws {
        let end: ContainerWait
        do {
            await gate.enter()
            defer { gate.leave() }
            let task = try requireTask()
            let directory = (choice.directory ?? checkpointDirectory).appending(choice.name.text)
            try await makeCheckpointDirectory(directory, choice, name)
            end = wait(.notRunning)
            do {
                try await task.checkpoint(to: place(directory), leavesRunning: leavesRunning)
            } catch {
                await removeFailedCheckpoint(directory)
                throw EngineError.system("Cannot checkpoint container \(name): \(EngineError(error).message)")
            }
            if !leavesRunning {
                // Before the end passes the gate. Not earlier: if there is no checkpoint, an end is what it would be
                // without the attempt, and a stop by hand meanwhile is a stop by hand.
                record.isManuallyStopped = true
                await saveOrLog()
            }
            emit("checkpoint")
        }
        // The gate is open for the end.
        if !leavesRunning { _ = try await end.result() }
    }

    private nonisolated func place(_ directory: FilePath) -> CheckpointPlace {
        CheckpointPlace(images: directory.string, work: checkpointLogs.string)
    }

    private func makeCheckpointDirectory(
        _ directory: FilePath, _ choice: CheckpointChoice, _ name: String
    ) async throws {
        let logs = checkpointLogs
        try await services.pool.run {
            let failure: String
            switch CheckpointDirectory(directory) {
            case .absent:
                do throws(Errno) {
                    try Files.makeDirectories(logs, mode: 0o700)
                    return try Files.makeDirectories(directory, mode: 0o700)
                } catch {
                    failure = "mkdir \(directory): \(error.words)"
                }
            case .present: failure = "checkpoint with name \(choice.name.text) already exists for container \(name)"
            case .noDirectory: failure = "\(directory) exists and is not a directory"
            case .unreadable(let error): failure = "stat \(directory): \(error.words)"
            }
            throw EngineError.system("cannot checkpoint container \(name): \(failure)")
        }
    }

    private func removeFailedCheckpoint(_ directory: FilePath) async {
        do {
            try await services.pool.run { try TreeRemoval.remove(directory) }
        } catch {
            logger.error("cannot remove the checkpoint \(directory), which has failed: \(error)")
        }
    }

    /// The place of a checkpoint that exists.
    func place(of choice: CheckpointChoice) async throws -> CheckpointPlace {
        place(try await existing(choice, name: "/" + record.name))
    }

    private nonisolated func existing(_ choice: CheckpointChoice, name: String) async throws -> FilePath {
        let directory = (choice.directory ?? checkpointDirectory).appending(choice.name.text)
        return try await services.pool.run {
            switch CheckpointDirectory(directory) {
            case .present: return directory
            case .noDirectory: throw EngineError.system("\(directory) exists and is not a directory")
            case .absent, .unreadable:
                throw EngineError.system("checkpoint \(choice.name.text) does not exist for container \(name)")
            }
        }
    }

    /// Removes a checkpoint.
    func removeCheckpoint(_ choice: CheckpointChoice, name: String) async throws {
        await gate.enter()
        defer { gate.leave() }
        let directory = try await existing(choice, name: name)
        try await services.pool.run {
            do throws(Errno) {
                try TreeRemoval.remove(directory)
            } catch {
                throw EngineError.system("cannot remove the checkpoint \(directory): \(error)")
            }
        }
    }

    /// The names of its checkpoints, in alphabetical order.
    ///
    /// - Parameter given: Another directory than its own.
    nonisolated func checkpoints(in given: FilePath?, name: String) async throws -> [String] {
        let directory = given ?? checkpointDirectory
        return try await services.pool.run {
            switch CheckpointDirectory(directory) {
            case .present: break
            case .absent where given == nil: return []
            case .absent:
                throw EngineError(
                    .notFound,
                    "checkpoint directory \"\(directory)\" does not exist for container \(name): stat \(directory): "
                        + Errno.noSuchFileOrDirectory.words)
            case .noDirectory:
                throw EngineError.invalid("checkpoint directory \"\(directory)\" exists but is not a directory")
            case .unreadable(let error):
                throw EngineError.system(
                    "failed to stat checkpoint directory \"\(directory)\" for container \(name): \(error.words)")
            }
            do throws(Errno) {
                var names: [String] = []
                for name in try Files.names(in: directory).sorted() {
                    do throws(Errno) {
                        let status = try FileStatus.of(directory.appending(name), followingSymlinks: false)
                        if status.isDirectory { names.append(name) }
                    } catch .noSuchFileOrDirectory {
                        // It has been removed meanwhile.
                    }
                }
                return names
            } catch .noSuchFileOrDirectory where given == nil {
                return []  // The container has been removed meanwhile.
            } catch {
                throw EngineError.system("open \(directory): \(error.words)")
            }
        }
    }
}

/// What there is at the path of a checkpoint, or of a directory of checkpoints.
private enum CheckpointDirectory {
    case present
    case absent
    case noDirectory
    case unreadable(Errno)

    /// Looks. Blocks.
    init(_ path: FilePath) {
        do throws(Errno) {
            self = try FileStatus.of(path).isDirectory ? .present : .noDirectory
        } catch .noSuchFileOrDirectory {
            self = .absent
        } catch {
            self = .unreadable(error)
        }
    }
}
