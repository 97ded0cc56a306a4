import LinuxKernel
import ShimProtocol
import SystemPackage
import Tasks

extension Container {
    func attach(_ options: AttachOptions) async throws -> AttachStream {
        if isRemoving { throw EngineError.noSuchContainer(id) }
        if options.stream, record.state.isPaused {
            throw EngineError.conflict("container \(id) is paused, unpause the container before attach")
        }
        var backlog: LogStream?
        if options.logs {
            var wanted = LogOptions()
            wanted.stdout = options.stdout
            wanted.stderr = options.stderr
            backlog = try await logs(wanted)
        }
        guard options.stream else {
            emit("attach")
            return AttachStream(tty: record.configuration.tty, backlog: backlog) { nil }
        }
        let attachment = PendingAttachment(options: options)
        if record.state.running != nil {
            do {
                attachment.resolve(.success(try await Self.connect(options, to: requireTask())))
            } catch {
                throw EngineError.task(error, of: id)
            }
        } else {
            pendingAttachments.removeAll(where: \.isOver)
            pendingAttachments.append(attachment)
        }
        emit("attach")
        return AttachStream(tty: record.configuration.tty, backlog: backlog) {
            try await attachment.take()
        } abandon: {
            attachment.cancel()
        }
    }

    /// Connects those who wait to a task whose program has not begun yet, so that they miss nothing.
    func connectPendingAttachments(to task: RunningTask) async {
        let pending = pendingAttachments.filter { !$0.isOver }
        pendingAttachments = []
        for attachment in pending {
            do {
                attachment.resolve(.success(try await Self.connect(attachment.options, to: task)))
            } catch {
                attachment.resolve(.failure(EngineError.task(error, of: id)))
            }
        }
    }

    /// Lets those go who waited for a start that did not work: what `start` answers is all there is to be said.
    func dropPendingAttachments() {
        for attachment in pendingAttachments { attachment.resolve(.success(nil)) }
        pendingAttachments = []
    }

    /// A stream of the container's process.
    private static func connect(_ options: AttachOptions, to task: RunningTask) async throws -> FileDescriptor {
        try await task.attach(
            StreamChoice(
                stdin: options.stdin, stdout: options.stdout, stderr: options.stderr,
                detachKeys: options.detachKeys.bytes, framing: options.isRaw ? .raw : nil))
    }
}
