import Addresses
import LinuxKernel
import SystemPackage

/// Which ports of the host to try for which requests, in which order.
package struct PortSearch: Hashable, Sendable {
    /// Requests that must get the same number: those of one container port that name different addresses, as
    /// `127.0.0.1` and `::1`, with the same wishes.
    package struct Group: Hashable, Sendable {
        /// TCP, UDP or SCTP.
        package let transport: TransportProtocol
        /// The container's port.
        package let containerPort: UInt16
        /// What will do.
        package let hostPort: PortRequest.HostPort
        /// The host's addresses, all of which must be free.
        package var addresses: [IPAddress]

        /// The ports to try, in order.
        ///
        /// - Parameters:
        ///   - ephemeral: those for `any`; only asked for then.
        ///   - random: a number by which those for `any` begin in the middle of the range, so that containers that
        ///     start together do not try the same; only asked for then.
        package func candidates(
            ephemeral: @autoclosure () -> EphemeralPorts, random: @autoclosure () -> UInt64
        ) -> [UInt16] {
            switch hostPort {
            case .exact(let port): [port]
            case .range(let ports): Array(ports)
            case .any: ephemeral().rotated(by: random())
            }
        }

        /// What is bound with this number.
        package func ports(_ number: UInt16) -> [PublishedPort] {
            addresses.map { PublishedPort(transport, $0, number, to: containerPort) }
        }
    }

    /// What requests must have in common to get the same number.
    private struct Wish: Hashable {
        let transport: TransportProtocol
        let containerPort: UInt16
        let hostPort: PortRequest.HostPort
    }

    /// Exact ports come first, then ranges, then any: no wish for a particular port fails because another request of
    /// the same container has got it by chance.
    package let groups: [Group]

    /// The groups of all requests that mean an address of the host.
    package init(_ publication: PortPublication) {
        var groups: [Group] = []
        // Where the groups of a wish are: a range of thousands of ports is as many groups.
        var places: [Wish: [Int]] = [:]
        for request in publication.requests {
            let addresses = publication.addresses(of: request)
            guard !addresses.isEmpty else { continue }
            let wish = Wish(
                transport: request.transport, containerPort: request.containerPort, hostPort: request.hostPort)
            let index = places[wish]?.first { index in
                !groups[index].addresses.contains { address in addresses.contains { Self.overlap(address, $0) } }
            }
            if let index {
                groups[index].addresses += addresses
            } else {
                places[wish, default: []].append(groups.count)
                groups.append(
                    Group(
                        transport: request.transport, containerPort: request.containerPort, hostPort: request.hostPort,
                        addresses: addresses))
            }
        }
        self.groups = [0, 1, 2].flatMap { rank in groups.filter { Self.rank($0.hostPort) == rank } }
    }

    private static func rank(_ port: PortRequest.HostPort) -> Int {
        switch port {
        case .exact: 0
        case .range: 1
        case .any: 2
        }
    }

    private static func overlap(_ left: IPAddress, _ right: IPAddress) -> Bool {
        left.family == right.family && (left == right || left.isUnspecified || right.isUnspecified)
    }
}

/// The ports that the kernel gives to clients.
package struct EphemeralPorts: Hashable, Sendable {
    /// `net.ipv4.ip_local_port_range`.
    package let range: ClosedRange<UInt16>
    /// Those of them that the administrator keeps for something else: `net.ipv4.ip_local_reserved_ports`.
    package let reserved: [ClosedRange<UInt16>]

    /// Reads the kernel's two files; texts that cannot be read mean Linux' own defaults.
    package init(range text: String, reserved: String) {
        let bounds = text.split { " \t\n".utf8.contains($0.utf8.first ?? 0) }.compactMap { UInt16($0) }
        range = bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]...bounds[1] : 32768...60999
        self.reserved = reserved.split { $0 == "," || $0 == "\n" }.compactMap { text in
            let bounds = text.split(separator: "-").compactMap { UInt16($0) }
            guard let first = bounds.first, let last = bounds.last, first <= last else { return nil }
            return first...last
        }
    }

    /// What the kernel says.
    package static func ofThisMachine() -> EphemeralPorts {
        let directory = FilePath("/proc/sys/net/ipv4")
        // Without procfs Linux' own values are as good a guess as any.
        return EphemeralPorts(
            range: (try? Files.readText(directory.appending("ip_local_port_range"))) ?? "",
            reserved: (try? Files.readText(directory.appending("ip_local_reserved_ports"))) ?? "")
    }

    /// All of them that are not reserved, from some place in the middle on.
    package func rotated(by random: UInt64) -> [UInt16] {
        let ports = range.filter { port in !reserved.contains { $0.contains(port) } }
        guard !ports.isEmpty else { return [] }
        let start = Int(random % UInt64(ports.count))
        return Array(ports[start...] + ports[..<start])
    }
}
