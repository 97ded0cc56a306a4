import CLinux
import Glibc
import LinuxKernel
import SystemPackage

/// A connection to the kernel's routing family of netlink, in the network namespace in which it was opened;
/// rtnetlink(7).
///
/// Errors are the kernel's own; `badMessage` is an answer that cannot be understood.
package final class RouteSocket {
    private let socket: FileDescriptor
    private var sequence: UInt32 = 0

    /// A connection in this process's network namespace.
    package init() throws(Errno) {
        let result = Glibc.socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        if result < 0 { throw Errno(rawValue: errno) }
        socket = FileDescriptor(rawValue: result)
    }

    deinit {
        socket.discard()
    }

    /// A connection in the network namespace that `namespace` refers to, in which this process, which must have only
    /// one thread, is for a moment.
    package static func opened(in namespace: FileDescriptor) throws(Errno) -> RouteSocket {
        let own = try Files.open("/proc/self/ns/net", .readOnly)
        defer { own.discard() }
        try Namespaces.network.enter(namespace)
        let result: Result<RouteSocket, Errno>
        do throws(Errno) { result = .success(try RouteSocket()) } catch { result = .failure(error) }
        try Namespaces.network.enter(own)
        return try result.get()
    }

    // MARK: Requests

    /// The interface called `name`; `nil` if there is none.
    package func link(named name: String) throws(Errno) -> Link? {
        do throws(Errno) {
            for message in try answers({ Link.query(name: name, sequence: $0) })
            where message.type == UInt16(RTM_NEWLINK) {
                return try Link(payload: message.payload)
            }
        } catch .operationNotSupportedByDevice {}
        return nil
    }

    /// All interfaces.
    package func links() throws(Errno) -> [Link] {
        try answers(Link.queryAll).filter { $0.type == UInt16(RTM_NEWLINK) }.map { (message) throws(Errno) in
            try Link(payload: message.payload)
        }
    }

    /// The addresses of `link`.
    package func addresses(of link: Link) throws(Errno) -> [InterfaceAddress] {
        try answers(InterfaceAddress.queryAll).filter { $0.type == UInt16(RTM_NEWADDR) }.map {
            (message) throws(Errno) in try InterfaceAddress(payload: message.payload)
        }.filter { $0.index == link.index }
    }

    /// Switches `link` on or off.
    package func set(_ link: Link, isUp: Bool) throws(Errno) {
        _ = try answers { Link.setUp(isUp, index: link.index, sequence: $0) }
    }

    /// Moves `link` into `namespace`, where it is called `name`; `%d` in that stands for a number the kernel chooses.
    package func move(_ link: Link, to namespace: FileDescriptor, name: String) throws(Errno) {
        _ = try answers { Link.move(index: link.index, to: namespace.rawValue, name: name, sequence: $0) }
    }

    /// Gives `link` an address.
    package func add(_ address: InterfaceAddress, to link: Link) throws(Errno) {
        _ = try answers { address.addition(to: link.index, sequence: $0) }
    }

    // MARK: Exchange

    /// Sends a request, and collects what comes back up to the message that says that this is all.
    private func answers(_ request: (UInt32) -> [UInt8]) throws(Errno) -> [Message] {
        while true {
            sequence &+= 1
            try socket.sendMessage(request(sequence))
            // A list that changed while it was told is asked for once more.
            if let messages = try collect() { return messages }
        }
    }

    private func collect() throws(Errno) -> [Message]? {
        var collected: [Message] = []
        var isConsistent = true
        while true {
            let bytes = try socket.receiveMessage().bytes
            if bytes.isEmpty { throw .badMessage }
            for message in try Message.all(in: bytes) where message.sequence == sequence {
                if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isConsistent = false }
                switch Int32(message.type) {
                case NLMSG_ERROR:
                    if let failure = try message.failure() { throw failure }
                    return collected
                case NLMSG_DONE:
                    return isConsistent ? collected : nil
                default:
                    collected.append(message)
                    if message.flags & UInt16(NLM_F_MULTI) == 0 { return collected }
                }
            }
        }
    }
}
