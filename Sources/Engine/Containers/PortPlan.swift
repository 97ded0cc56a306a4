import Addresses
import PublishedPorts

/// What a change of a container's published ports comes to, before anything is done.
struct PortPlan: Sendable {
    /// The container's configuration afterwards.
    private(set) var configuration: ContainerConfiguration
    /// What is asked of the host anew.
    private(set) var added: [PortRequest] = []
    /// The ports of the host that are given up.
    private(set) var leaving: [PublishedPort] = []
    /// The requests that led to them.
    private(set) var removed: [PortRequest] = []
    /// The requests that stay.
    private(set) var kept: [PortRequest] = []

    /// - Parameters:
    ///   - bound: The ports of the host that are the container's now; none if it does not run.
    ///   - name: The container's, for errors.
    /// - Throws: `EngineError` for ports that are not published, and for ranges that do not fit.
    init(
        _ change: PortChange, of configuration: ContainerConfiguration, bound: [PublishedPort], name: String
    ) throws(EngineError) {
        self.configuration = configuration
        let places: [PublishedPlace]
        do throws(PortRangeMismatch) {
            places = try Self.places(configuration)
            added = try PortRequest.all(change.added)
        } catch {
            throw .invalid(error.description)
        }
        let shares = PortRequest.shares(of: places.map(\.request), in: bound)
        let gone = try Self.meant(by: change.removed, of: places, shares, name)
        for index in places.indices {
            if gone.contains(index) {
                leaving += shares[index]
                removed.append(places[index].request)
            } else {
                kept.append(places[index].request)
            }
        }
        if !gone.isEmpty || configuration.host.publishAllPorts {
            // What remains of "all exposed ports" is each of the others by itself: an exposed port that is published
            // in another place as well would not be one of them any more.
            self.configuration.host.publishAllPorts = false
            self.configuration.host.publishedPorts = PublishedPlace.mappings(
                places.indices.filter { !gone.contains($0) }.map { places[$0] })
        }
        publish(change.added)
    }

    private static func places(
        _ configuration: ContainerConfiguration
    ) throws(PortRangeMismatch) -> [PublishedPlace] {
        let mappings = configuration.host.publishedPorts
        let places = try PublishedPlace.all(mappings)
        if !configuration.host.publishAllPorts { return places }
        return try places + PublishedPlace.implied(by: mappings, exposed: configuration.exposedPorts)
    }

    /// The places that are to go.
    private static func meant(
        by removals: [PortMapping], of places: [PublishedPlace], _ shares: [[PublishedPort]], _ name: String
    ) throws(EngineError) -> Set<Int> {
        var gone: Set<Int> = []
        var wanted: [(PortRange, PortBinding)] = []
        for removal in removals { wanted += try split(removal) }
        for (port, binding) in wanted {
            let found = places.indices.filter { places[$0].isMeant(by: port, binding, bound: shares[$0]) }
            if found.isEmpty {
                throw .invalid(
                    "port \(PublishedPlace.text(port, binding)) of container \(name) is not published"
                        + (places.isEmpty ? "" : "; published: " + places.map(\.description).joined(separator: ", ")))
            }
            gone.formUnion(found)
        }
        return gone
    }

    /// A removal as single ports.
    private static func split(_ removal: PortMapping) throws(EngineError) -> [(PortRange, PortBinding)] {
        let range = removal.port
        let bindings = removal.bindings.isEmpty ? [PortBinding()] : removal.bindings
        if range.first == range.last { return bindings.map { (range, $0) } }
        do throws(PortRangeMismatch) {
            return try PublishedPlace.all([PortMapping(port: range, bindings: bindings)]).map { ($0.port, $0.binding) }
        } catch {
            throw .invalid(error.description)
        }
    }

    private mutating func publish(_ mappings: [PortMapping]) {
        for mapping in mappings {
            if let index = configuration.host.publishedPorts.firstIndex(where: { $0.port == mapping.port }) {
                configuration.host.publishedPorts[index].bindings += mapping.bindings
            } else {
                configuration.host.publishedPorts.append(mapping)
            }
            if !configuration.exposedPorts.contains(mapping.port) { configuration.exposedPorts.append(mapping.port) }
        }
    }

    /// The first port that is asked for twice, whoever else may have it.
    var collision: PublishedPort? {
        for (index, request) in added.enumerated() {
            if let port = request.collision(with: kept + added[..<index]) { return port }
        }
        return nil
    }
}
