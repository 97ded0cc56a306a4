import CLinux
import Glibc
import SystemPackage

/// Network interfaces, as far as they need no netlink.
package enum NetworkInterface {
    /// Brings the interface `name` of this process's network namespace up.
    package static func bringUp(_ name: String) throws(Errno) {
        let socket = Glibc.socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        if socket < 0 { throw Errno(rawValue: errno) }
        defer { close(socket) }
        try checked(name.withCString { masu_interface_up(socket, $0) })
    }
}

/// Names of this machine in its UTS namespace.
package enum HostNames {
    /// sethostname(2).
    package static func setHostName(_ name: String) throws(Errno) {
        if name.withCString({ sethostname($0, name.utf8.count) }) < 0 { throw Errno(rawValue: errno) }
    }

    /// setdomainname(2).
    package static func setDomainName(_ name: String) throws(Errno) {
        if name.withCString({ setdomainname($0, name.utf8.count) }) < 0 { throw Errno(rawValue: errno) }
    }
}
