import Addresses

/// What is asked of the host for one port of a container.
package struct PortRequest: Hashable, Sendable, Codable {
    /// TCP, UDP or SCTP.
    package var transport: TransportProtocol
    /// The container's port.
    package var containerPort: UInt16
    /// Where the host listens: one address, or all addresses of its family (`0.0.0.0`, `::`); `nil` is all addresses of
    /// both families.
    package var hostAddress: IPAddress?
    /// Which ports of the host will do.
    package var hostPort: HostPort

    /// Which ports of the host will do.
    package enum HostPort: Hashable, Sendable {
        /// This one.
        case exact(UInt16)
        /// The lowest free one of these.
        case range(ClosedRange<UInt16>)
        /// Any free one of those that the kernel gives to clients.
        case any
    }

    /// A request; any port of all addresses, unless something else is said.
    package init(
        _ containerPort: UInt16, _ transport: TransportProtocol = .tcp, address: IPAddress? = nil,
        host hostPort: HostPort = .any
    ) {
        self.transport = transport
        self.containerPort = containerPort
        hostAddress = address
        self.hostPort = hostPort
    }

    /// The addresses to bind, one for each family that is meant.
    package var hostAddresses: [IPAddress] {
        hostAddress.map { [$0] } ?? [.unspecified(.ipv4), .unspecified(.ipv6)]
    }

    /// The same with the address that a network or the daemon has chosen for requests that name none.
    package func defaulting(to address: IPAddress?) -> PortRequest {
        guard hostAddress == nil, let address else { return self }
        // Docker's default of 0.0.0.0 means both families.
        if address == .unspecified(.ipv4) { return self }
        var request = self
        request.hostAddress = address
        return request
    }
}

extension PortRequest.HostPort: Codable {
    private enum Keys: String, CodingKey {
        case first, last
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        guard let first = try container.decodeIfPresent(UInt16.self, forKey: .first) else {
            self = .any
            return
        }
        let last = try container.decodeIfPresent(UInt16.self, forKey: .last) ?? first
        guard first <= last else {
            throw DecodingError.dataCorruptedError(
                forKey: .last, in: container, debugDescription: "a range of ports does not end below its beginning")
        }
        self = first == last ? .exact(first) : .range(first...last)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .exact(let port):
            try container.encode(port, forKey: .first)
        case .range(let ports):
            try container.encode(ports.lowerBound, forKey: .first)
            try container.encode(ports.upperBound, forKey: .last)
        case .any:
            break
        }
    }
}

// MARK: What users write

extension PortRequest {
    /// The requests that a container's configuration makes, by Docker's rules: as many ports of the host as of the
    /// container stand for each other, one after the other; several ports of the host for one of the container mean the
    /// first free one; with `publishAll` every exposed port that no mapping gives a place gets any.
    ///
    /// - Throws: `PortRangeMismatch` for ranges of different sizes.
    package static func all(
        _ mappings: [PortMapping], exposed: [PortRange] = [], publishAll: Bool = false
    ) throws(PortRangeMismatch) -> [PortRequest] {
        var requests: [PortRequest] = []
        for mapping in mappings {
            for binding in mapping.bindings { requests += try Self.all(mapping.port, at: binding) }
        }
        guard publishAll else { return requests }
        let published = Set(requests.map { PortRange($0.containerPort, $0.transport) })
        var added: Set<PortRange> = []
        for range in exposed + mappings.map(\.port) {
            for port in range.ports.map({ PortRange($0, range.transport) })
            where !published.contains(port) && added.insert(port).inserted {
                requests.append(PortRequest(port.first, port.transport))
            }
        }
        return requests
    }

    private static func all(
        _ port: PortRange, at binding: PortBinding
    ) throws(PortRangeMismatch) -> [PortRequest] {
        func request(_ containerPort: UInt16, _ host: HostPort) -> PortRequest {
            PortRequest(containerPort, port.transport, address: binding.address, host: host)
        }
        // As docker does, 0 means any.
        guard let host = binding.ports, host.last > 0 else { return port.ports.map { request($0, .any) } }
        if port.first == port.last {
            return [request(port.first, host.first == host.last ? .exact(host.first) : .range(host.first...host.last))]
        }
        guard host.last - host.first == port.last - port.first else {
            throw PortRangeMismatch(container: port, host: host)
        }
        return port.ports.map { request($0, .exact(host.first + ($0 - port.first))) }
    }
}

/// As many ports were asked of the host as the container does not have.
package struct PortRangeMismatch: Error, Hashable, Sendable, CustomStringConvertible {
    /// The container's.
    package let container: PortRange
    /// The host's.
    package let host: HostPorts

    /// Docker's text.
    package var description: String {
        let ports = container.first == container.last ? "\(container.first)" : "\(container.first)-\(container.last)"
        return "invalid ranges specified for container and host Ports: \(ports) and \(host)"
    }
}
