import Addresses
import PublishedPorts

/// A change of the ports that a container publishes.
package struct PortChange: Hashable, Sendable {
    /// What is to be published.
    package var added: [PortMapping]
    /// What is not to be published any more. A mapping without bindings means all places of its ports; a binding
    /// without an address or a port means all addresses, or all ports, of the host.
    package var removed: [PortMapping]

    /// A change.
    package init(adding added: [PortMapping] = [], removing removed: [PortMapping] = []) {
        self.added = added
        self.removed = removed
    }
}

/// One port of a container and one place where it is published: what can be removed without anything else.
struct PublishedPlace: Hashable, Sendable, CustomStringConvertible {
    /// A single port.
    let port: PortRange
    let binding: PortBinding
    /// What a start asks for because of it.
    let request: PortRequest

    /// All places of a container's mappings, ranges port by port.
    static func all(_ mappings: [PortMapping]) throws(PortRangeMismatch) -> [PublishedPlace] {
        var places: [PublishedPlace] = []
        for mapping in mappings {
            for binding in mapping.bindings {
                for request in try PortRequest.all([PortMapping(port: mapping.port, bindings: [binding])]) {
                    places.append(PublishedPlace(request, of: mapping.port, at: binding))
                }
            }
        }
        return places
    }

    /// Those that `publishAll` adds to the mappings: every exposed port that has no place yet.
    static func implied(
        by mappings: [PortMapping], exposed: [PortRange]
    ) throws(PortRangeMismatch) -> [PublishedPlace] {
        let count = try PortRequest.all(mappings).count
        return try PortRequest.all(mappings, exposed: exposed, publishAll: true).dropFirst(count).map {
            PublishedPlace($0, of: PortRange($0.containerPort, $0.transport), at: PortBinding())
        }
    }

    private init(_ request: PortRequest, of range: PortRange, at binding: PortBinding) {
        port = PortRange(request.containerPort, request.transport)
        var binding = binding
        if range.first != range.last {
            if case .exact(let number) = request.hostPort {
                binding.ports = HostPorts("\(number)")
            } else {
                binding.ports = nil
            }
        }
        self.binding = binding
        self.request = request
    }

    /// The mappings that stand for these places, in their order.
    static func mappings(_ places: [PublishedPlace]) -> [PortMapping] {
        var mappings: [PortMapping] = []
        for place in places {
            if let index = mappings.firstIndex(where: { $0.port == place.port }) {
                mappings[index].bindings.append(place.binding)
            } else {
                mappings.append(PortMapping(port: place.port, bindings: [place.binding]))
            }
        }
        return mappings
    }

    /// Whether somebody who wants to remove `wanted` of `port` means this place, whose ports on the host are `bound`.
    func isMeant(by port: PortRange, _ wanted: PortBinding, bound: [PublishedPort]) -> Bool {
        guard port == self.port else { return false }
        let hasAddress =
            wanted.address == nil || wanted.address == binding.address
            || !bound.isEmpty && bound.allSatisfy { $0.hostAddress == wanted.address }
        let hasPort =
            wanted.ports == nil || wanted.ports == binding.ports
            || bound.contains { wanted.ports == HostPorts("\($0.hostPort)") }
        return hasAddress && hasPort
    }

    var description: String { Self.text(port, binding) }

    /// As `run -p` takes it: `127.0.0.1:8080:80/tcp`.
    static func text(_ port: PortRange, _ binding: PortBinding) -> String {
        let host = binding.ports.map(\.description) ?? ""
        guard let address = binding.address else { return (host.isEmpty ? "" : host + ":") + port.description }
        return (address.isIPv6 ? "[\(address)]" : "\(address)") + ":\(host):\(port)"
    }
}
