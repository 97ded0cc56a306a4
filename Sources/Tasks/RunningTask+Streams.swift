import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

extension RunningTask {
    /// A stream to the first process, owned by the caller: what is written to it is input, shutting down its writing
    /// side is the end of that; what is read from it is output, in Docker's frames, or plain bytes of a terminal. It
    /// ends after the last byte.
    ///
    /// A client that does not read holds nobody up: what it has not taken waits on disk, up to a limit.
    package func attach(_ choice: StreamChoice) async throws -> FileDescriptor {
        try await home.pool.run { [self] in try connect(choice, execID: nil) }
    }

    /// Blocks for the shim's answer.
    func connect(_ choice: StreamChoice, execID: String?) throws(TaskError) -> FileDescriptor {
        let patience = max(1, Int(home.configuration.patience.own.components.seconds))
        do throws(ShimError) {
            return try ShimConnection(bundle: home.bundle(of: id), timeout: patience).attach(
                execID: execID, stdin: choice.stdin, stdout: choice.stdout, stderr: choice.stderr,
                detachKeys: choice.detachKeys, framing: choice.framing)
        } catch {
            throw TaskError(error)
        }
    }
}
