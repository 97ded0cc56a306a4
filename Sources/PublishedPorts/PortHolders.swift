import Addresses
import LinuxKernel
import Netlink
import SystemPackage

/// Finds out who has a port of the host.
package enum PortHolders {
    /// Who has bound `port` in this thread's network namespace, in such a way that nobody else can; `nil` if no process
    /// is found: the socket is the kernel's own, or its process cannot be seen from here.
    ///
    /// This looks through the open files of all processes, which is for errors.
    package static func holder(of port: PublishedPort) -> PortConflict.Holder? {
        // Without an answer of the kernel the holder stays unknown; the conflict itself is told in any case.
        let sockets = try? DiagnosisSocket().holders(of: port.hostAddress, port: port.hostPort, port.transport)
        // A socket of the other family may be in the way as well, but one of the same family is for certain.
        let family = port.hostAddress.family
        let sorted =
            (sockets ?? []).filter { $0.address.family == family }
            + (sockets ?? []).filter { $0.address.family != family }
        for socket in sorted {
            guard let owner = SocketOwner.find(inode: socket.inode) else { continue }
            // It fails only for a process that ends at this moment.
            let line = (try? Files.read(FilePath("/proc/\(owner.processID)/cmdline"))) ?? []
            let arguments = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return PortConflict.Holder(
                pid: owner.processID, command: owner.command,
                container: container(ofShim: owner.command, arguments))
        }
        return nil
    }

    /// The container whose shim was called like this; `nil` for other programs.
    package static func container(ofShim command: String, _ arguments: [String]) -> String? {
        guard command == "masu-shim", let flag = arguments.firstIndex(of: "--bundle"), flag + 1 < arguments.count
        else { return nil }
        return FilePath(arguments[flag + 1]).lastComponent?.string
    }
}
