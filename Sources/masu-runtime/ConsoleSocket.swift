import ContainerRuntime
import LinuxKernel
import SystemPackage

/// The handing over of a terminal's master side to the program that drives this one, by a Unix socket.
enum ConsoleSocket {
    /// Refuses combinations of flags in which no program, or the wrong one, would get the master side.
    static func check(terminal: Bool, detached: Bool, socket: String) throws(RuntimeError) {
        if terminal, detached, socket.isEmpty {
            throw RuntimeError(.invalid, "a detached container with a terminal needs --console-socket")
        }
        if !socket.isEmpty, !terminal || !detached {
            throw RuntimeError(.invalid, "--console-socket is for detached containers with a terminal")
        }
    }

    static func send(_ console: FileDescriptor, to path: String) throws(RuntimeError) {
        do throws(Errno) {
            let socket = try UnixSocket.connect(to: RuntimeCommands.absolute(path))
            defer { socket.discard() }
            // Readers take these bytes for the descriptor's name.
            try socket.sendMessage(Array("/dev/ptmx".utf8), descriptors: [console])
        } catch {
            throw RuntimeError(.system, "cannot send the terminal to \(path): \(error.words)")
        }
        console.discard()
    }
}
