import ContainerRuntime
import Flags
import LinuxKernel
import SystemPackage

/// The handing over of a descriptor of the process that was made, by a Unix socket.
enum PIDFDSocket {
    static let flag = Flag.string(
        "pidfd-socket", type: "path", "Unix socket to send the pidfd of the process to")

    /// Sends a descriptor of `process`, which is our child and has not been waited for, to the socket that was named.
    static func send(_ process: StartedProcess, _ invocation: Invocation, name: String) throws(RuntimeError) {
        guard let path = RuntimeCommands.optionalPath(flag, invocation) else { return }
        do throws(Errno) {
            let socket = try UnixSocket.connect(to: path)
            defer { socket.discard() }
            let pidfd = try PIDFD.open(process.pid)
            defer { pidfd.close() }
            // Readers take these bytes for the descriptor's name.
            try socket.sendMessage(Array(name.utf8), descriptors: [pidfd.descriptor])
        } catch {
            throw RuntimeError(.system, "cannot send the process's descriptor to \(path): \(error.words)")
        }
    }
}
