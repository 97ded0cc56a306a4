import Addresses
import Glibc
import LinuxKernel
import PublishedPorts
import SystemPackage

/// Chooses ports of the host that plugins are to publish. The container's shim then binds the ports, so that others
/// cannot have them; the plugins have to be told before there is a shim.
struct HostPortChoice: Sendable {
    /// Ports of containers that are about to start.
    let taken: [PortRequest]

    /// A port that cannot be had.
    struct Refusal: Error {
        let conflict: PortConflict
    }

    /// The same requests, each with one port.
    func choose(_ requests: [PortRequest]) throws(Refusal) -> [PortRequest] {
        var chosen: [PortRequest] = []
        // Those that name a port come first, so that no other has got it by chance.
        for (index, request) in requests.enumerated().sorted(by: { Self.rank($0.element) < Self.rank($1.element) }) {
            chosen.append(try choose(request, besides: taken + chosen, at: index))
        }
        return chosen
    }

    private static func rank(_ request: PortRequest) -> Int {
        switch request.hostPort {
        case .exact: 0
        case .range: 1
        case .any: 2
        }
    }

    private func choose(
        _ request: PortRequest, besides others: [PortRequest], at index: Int
    ) throws(Refusal) -> PortRequest {
        let candidates: [UInt16] =
            switch request.hostPort {
            case .exact(let port): [port]
            case .range(let ports): Array(ports)
            case .any: EphemeralPorts.ofThisMachine().rotated(by: .random(in: .min ... .max))
            }
        var last: PortConflict?
        for number in candidates {
            var candidate = request
            candidate.hostPort = .exact(number)
            last = conflict(candidate, others)
            guard let conflict = last else { return candidate }
            // No other number helps against a missing address.
            if !conflict.isInUse { break }
        }
        let port = PublishedPort(request.transport, request.hostAddresses[0], 0, to: request.containerPort)
        guard candidates.count == 1 || last?.isInUse == false, let conflict = last else {
            // Docker's words.
            throw Refusal(conflict: PortConflict(port, reason: "all ports are allocated", isInUse: true))
        }
        throw Refusal(conflict: conflict)
    }

    /// Why a port cannot be had; `nil` if it can.
    private func conflict(_ request: PortRequest, _ others: [PortRequest]) -> PortConflict? {
        guard case .exact(let number) = request.hostPort else { return nil }
        for address in request.hostAddresses {
            let port = PublishedPort(request.transport, address, number, to: request.containerPort)
            do throws(Errno) {
                try Self.probe(port)
            } catch {
                // Where the kernel has no IPv6, "all addresses" are those of IPv4.
                if error == .addressFamilyNotSupported, request.hostAddress == nil { continue }
                return PortConflict(
                    port, reason: error.words, isInUse: error == .addressInUse,
                    holder: error == .addressInUse ? PortHolders.holder(of: port) : nil)
            }
            // Those of a container whose shim has not bound them yet.
            let isTaken = others.contains { other in
                other.transport == request.transport && other.hostPort == request.hostPort
                    && other.hostAddresses.contains { Self.overlap($0, address) }
            }
            if isTaken { return PortConflict(port, reason: Errno.addressInUse.words, isInUse: true) }
        }
        return nil
    }

    private static func overlap(_ left: IPAddress, _ right: IPAddress) -> Bool {
        left.family == right.family && (left == right || left.isUnspecified || right.isUnspecified)
    }

    /// Binds a port for a moment.
    private static func probe(_ port: PublishedPort) throws(Errno) {
        let socket = try InternetSocket.make(port.transport, port.hostAddress.family)
        defer { socket.discard() }
        if port.transport != .udp { try socket.set(SOL_SOCKET, SO_REUSEADDR, 1) }
        try socket.bind(to: SocketAddress(port.hostAddress, port.hostPort))
    }
}
