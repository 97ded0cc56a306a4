import CLinux
import Glibc
import LinuxKernel
import SystemPackage

/// Notifications of changes that others, or this process, have made; for an event loop.
package final class Subscription: Sendable {
    /// What can be subscribed to.
    package enum Group: Hashable, Sendable {
        /// Interfaces come, change and go (`RTNLGRP_LINK`).
        case links
        /// Routes of IPv4 come and go (`RTNLGRP_IPV4_ROUTE`).
        case ipv4Routes
        /// Routes of IPv6 come and go (`RTNLGRP_IPV6_ROUTE`).
        case ipv6Routes
        /// Addresses of interfaces come and go (`RTNLGRP_IPV4_IFADDR`).
        case ipv4Addresses
        /// Anything of nf_tables changes (`NFNLGRP_NFTABLES`).
        case firewall

        var family: NetlinkSocket.Family { self == .firewall ? .netfilter : .route }

        var number: Int32 {
            switch self {
            case .links: 1
            case .ipv4Addresses: 5
            case .ipv4Routes: 7
            case .firewall: 7
            case .ipv6Routes: 11
            }
        }
    }

    /// What has come.
    package enum News: Sendable {
        /// These, in their order; none if nothing has come.
        case messages([Message])
        /// Some got lost, as too many came (`ENOBUFS`): the state has to be read anew.
        case missed
    }

    private let socket: NetlinkSocket

    /// A subscription in the calling thread's network namespace. All groups must be of one family.
    package init(_ groups: Set<Group>, bufferSize: Int = 1 << 20) throws(NetlinkError) {
        guard let family = groups.first?.family, groups.allSatisfy({ $0.family == family }) else {
            throw NetlinkError(.invalidArgument, "subscribe to groups of several families of netlink")
        }
        socket = try NetlinkSocket(family)
        do throws(Errno) {
            try socket.enlarge(SO_RCVBUFFORCE, SO_RCVBUF, bufferSize)
            let result = masu_netlink_bind(socket.descriptor.rawValue)
            if result < 0 { throw Errno(rawValue: CInt(-result)) }
            for group in groups { try socket.set(Self.join, group.number) }
        } catch {
            throw NetlinkError(error, "subscribe to notifications")
        }
    }

    /// Readable when there is something to take.
    package var descriptor: FileDescriptor { socket.descriptor }

    /// What one reception brings; does not wait.
    package func take() throws(NetlinkError) -> News {
        do throws(Errno) {
            return .messages(try socket.receive())
        } catch .resourceTemporarilyUnavailable {
            return .messages([])
        } catch .noBufferSpace {
            return .missed
        } catch {
            throw NetlinkError(error, "read what has changed")
        }
    }

    /// `NETLINK_ADD_MEMBERSHIP`.
    private static let join: Int32 = 1
}
