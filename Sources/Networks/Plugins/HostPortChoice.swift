import Addresses
import Glibc
import LinuxKernel
import PublishedPorts
import SystemPackage

/// Chooses ports of the host that plugins are to publish. The container's shim then binds the ports, so that others
/// cannot have them; the plugins have to be told before there is a shim.
struct HostPortChoice: Sendable {
    /// Ports of other containers, by their ids: of some of them no shim has bound them yet.
    let taken: [String: [PortRequest]]

    /// A port that cannot be had.
    struct Refusal: Error {
        fileprivate let conflict: PortConflict
        /// Whether it is one certain port, for which it is worth the time to find out who has it.
        fileprivate let isExact: Bool

        /// The port with who has it, as far as that can be found out. It looks through the open files of all
        /// processes.
        func withHolder() -> PortConflict {
            var conflict = conflict
            if isExact, conflict.isInUse, conflict.holder == nil {
                conflict.holder = PortHolders.holder(of: conflict.port)
            }
            return conflict
        }
    }

    /// The same requests, each with one port.
    func choose(_ requests: [PortRequest]) throws(Refusal) -> [PortRequest] {
        var chosen: [PortRequest] = []
        // Those that name a port come first, so that no other has got it by chance.
        for (index, request) in requests.enumerated().sorted(by: { Self.rank($0.element) < Self.rank($1.element) }) {
            chosen.append(try choose(request, besides: chosen, at: index))
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
        _ request: PortRequest, besides own: [PortRequest], at index: Int
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
            last = conflict(candidate, own)
            guard let conflict = last else { return candidate }
            // No other number helps against a missing address.
            if !conflict.isInUse { break }
        }
        let port = PublishedPort(request.transport, request.hostAddresses[0], 0, to: request.containerPort)
        guard candidates.count == 1 || last?.isInUse == false, let conflict = last else {
            // Docker's words.
            throw Refusal(
                conflict: PortConflict(port, reason: "all ports are allocated", isInUse: true), isExact: false)
        }
        throw Refusal(conflict: conflict, isExact: true)
    }

    /// Why a port cannot be had; `nil` if it can.
    private func conflict(_ request: PortRequest, _ own: [PortRequest]) -> PortConflict? {
        guard case .exact(let number) = request.hostPort else { return nil }
        for address in request.hostAddresses {
            let port = PublishedPort(request.transport, address, number, to: request.containerPort)
            func isTaken(by others: [PortRequest]) -> Bool {
                others.contains { other in
                    other.transport == request.transport && other.hostPort == request.hostPort
                        && other.hostAddresses.contains { Self.overlap($0, address) }
                }
            }
            if let other = taken.first(where: { isTaken(by: $0.value) }) {
                return PortConflict(
                    port, reason: Errno.addressInUse.words, isInUse: true,
                    holder: PortConflict.Holder(pid: 0, command: "masu-shim", container: other.key))
            }
            do throws(Errno) {
                try Self.probe(port)
            } catch {
                // Where the kernel has no IPv6, "all addresses" are those of IPv4.
                if error == .addressFamilyNotSupported, request.hostAddress == nil { continue }
                return PortConflict(port, reason: error.words, isInUse: error == .addressInUse)
            }
            if isTaken(by: own) { return PortConflict(port, reason: Errno.addressInUse.words, isInUse: true) }
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
