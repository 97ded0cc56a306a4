extension PortRequest {
    /// Which of a container's bound ports each of its requests has led to; at least one of them in all cases where
    /// the shim had to bind something for the request.
    ///
    /// A request that names no address accounts for any: the network or the daemon may have chosen one when the port
    /// was bound.
    package static func shares(of requests: [PortRequest], in ports: [PublishedPort]) -> [[PublishedPort]] {
        var shares = [[PublishedPort]](repeating: [], count: requests.count)
        var left = ports
        // The most particular request first, as no other port will do for it.
        let order = requests.indices.sorted { (requests[$0].looseness, $0) < (requests[$1].looseness, $1) }
        for index in order {
            let request = requests[index]
            guard let number = left.first(where: request.accounts)?.hostPort else { continue }
            for port in left where port.hostPort == number && request.accounts(for: port) {
                shares[index].append(port)
                // Two addresses of one family are two requests'.
                if shares[index].count == request.hostAddresses.count { break }
            }
            left.removeAll { shares[index].contains($0) }
        }
        return shares
    }

    /// Whether a port may be what this request has led to.
    private func accounts(for port: PublishedPort) -> Bool {
        guard port.transport == transport, port.containerPort == containerPort,
            hostAddress == nil || hostAddress == port.hostAddress
        else { return false }
        return switch hostPort {
        case .exact(let number): number == port.hostPort
        case .range(let numbers): numbers.contains(port.hostPort)
        case .any: true
        }
    }

    private var looseness: Int {
        let ports =
            switch hostPort {
            case .exact: 0
            case .range: 2
            case .any: 4
            }
        return ports + (hostAddress == nil ? 1 : 0)
    }

    /// The first particular port of the host that this request and one of the others both insist on, as it would be
    /// bound for this one.
    package func collision(with others: [PortRequest]) -> PublishedPort? {
        guard case .exact(let number) = hostPort else { return nil }
        for other in others where other.transport == transport && other.hostPort == hostPort {
            let address = hostAddresses.first { own in
                other.hostAddresses.contains {
                    $0.family == own.family && ($0 == own || $0.isUnspecified || own.isUnspecified)
                }
            }
            if let address { return PublishedPort(transport, address, number, to: containerPort) }
        }
        return nil
    }

    /// What of these requests opens a port by the sandbox's own address that none of the others opens.
    package static func openings(of requests: [PortRequest], besides others: [PortRequest]) -> [PortRequest] {
        func openings(_ requests: [PortRequest]) -> [PortRequest] {
            requests.flatMap { request in
                request.hostAddresses.map {
                    PortRequest(request.containerPort, request.transport, address: .unspecified($0.family))
                }
            }
        }
        let kept = Set(openings(others))
        return openings(requests).filter { !kept.contains($0) }
    }
}

extension PublishedPort {
    /// Whether it is the same place on the host, wherever it leads to.
    package func hasPlace(of other: PublishedPort) -> Bool {
        transport == other.transport && hostAddress == other.hostAddress && hostPort == other.hostPort
    }
}
