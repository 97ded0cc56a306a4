import CLinux
import Glibc
import SystemPackage

extension FileDescriptor {
    /// pipe2(2). Both ends are close-on-exec and block.
    package static func makePipe() throws(Errno) -> (reading: FileDescriptor, writing: FileDescriptor) {
        var ends: (CInt, CInt) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) {
            masu_pipe2($0.bindMemory(to: CInt.self).baseAddress, CInt(O_CLOEXEC))
        }
        try checked(result)
        return (FileDescriptor(rawValue: ends.0), FileDescriptor(rawValue: ends.1))
    }

    /// Opens the other side of a pseudo terminal's master, in whatever mount namespace that is (`TIOCGPTPEER`).
    /// Close-on-exec; it does not become the controlling terminal.
    package func openTerminalPeer() throws(Errno) -> FileDescriptor {
        try descriptor(masu_terminal_peer(rawValue, CInt(O_RDWR | O_NOCTTY | O_CLOEXEC)))
    }
}
