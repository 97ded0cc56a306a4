import LinuxKernel
import ShimProtocol
import SystemPackage

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
            let bundle = bundle
            do {
                let stream = try await services.pool.run { try Self.connect(options, bundle: bundle) }
                attachment.resolve(.success(stream))
            } catch let error as ShimError where error.reason == .unavailable || error.reason == .notFound {
                throw EngineError.notRunning(id)
            } catch {
                throw EngineError.shim(error)
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

    /// Connects those who wait to the shim of a process that has not begun yet, so that they miss nothing.
    func connectPendingAttachments() async {
        let pending = pendingAttachments.filter { !$0.isOver }
        pendingAttachments = []
        guard !pending.isEmpty else { return }
        let bundle = bundle
        await withCheckedContinuation { continuation in
            services.pool.submit {
                for attachment in pending {
                    do {
                        attachment.resolve(.success(try Self.connect(attachment.options, bundle: bundle)))
                    } catch {
                        attachment.resolve(.failure(EngineError.shim(error)))
                    }
                }
                continuation.resume()
            }
        }
    }

    /// Lets those go who waited for a start that did not work: what `start` answers is all there is to be said.
    func dropPendingAttachments() {
        for attachment in pendingAttachments { attachment.resolve(.success(nil)) }
        pendingAttachments = []
    }

    /// Seconds after which a shim that does not answer no longer keeps a thread waiting.
    static let patience = 10

    /// A stream of the container's process. Blocks for the shim's answer.
    static func connect(_ options: AttachOptions, bundle: FilePath) throws(ShimError) -> FileDescriptor {
        try ShimConnection(bundle: bundle, timeout: patience).attach(
            stdin: options.stdin, stdout: options.stdout, stderr: options.stderr,
            detachKeys: options.detachKeys.bytes)
    }

    func resize(columns: UInt16, rows: UInt16) async throws {
        let shim = try requireShim()
        do {
            try await shim.call(.resize(columns: columns, rows: rows))
        } catch {
            throw EngineError.shim(error)
        }
        emit("resize", ["height": "\(rows)", "width": "\(columns)"])
    }
}
