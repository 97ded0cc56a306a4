import Addresses
import Networks

/// A container on the default bridge to which another one is linked.
struct LegacyLink: Sendable {
    /// Its line in `/etc/hosts` after the address.
    let names: String
    /// Its addresses on the default bridge.
    let addresses: [IPAddress]
    /// The variables about it.
    let environment: [String]

    /// Its lines of `/etc/hosts`.
    var hosts: [ExtraHost] { addresses.map { ExtraHost(name: names, address: $0) } }
}

extension Container {
    /// The containers on the default bridge that this one is linked to.
    ///
    /// - Throws: Docker's errors for links to what does not run, or is elsewhere.
    func bridgeLinks() throws(EngineError) -> [LegacyLink] {
        var links: [LegacyLink] = []
        guard record.configuration.networkNames.contains("bridge") else { return links }
        for text in record.configuration.host.links { links.append(try legacyLink(text)) }
        return links
    }

    private func legacyLink(_ text: String) throws(EngineError) -> LegacyLink {
        let (other, alias) = try linked(text)
        let record = other.current
        guard record.state.running != nil else {
            throw .system("Cannot link to a non running container: /\(record.name) AS /\(self.record.name)/\(alias)")
        }
        guard let place = other.endpointDetails().first(where: { $0.network == "bridge" })?.endpoint,
            let address = place.addresses.first
        else { throw .system("Cannot link to /\(record.name), as it does not belong to the default network") }
        return LegacyLink(
            names: HostsFile.namesOfLink(
                alias: alias, hostname: record.configuration.hostname, name: record.name),
            addresses: place.addresses,
            environment: LinkEnvironment.variables(
                alias: alias, of: self.record.name, address: address, ports: record.configuration.exposedPorts,
                environment: record.configuration.environment))
    }

    /// The variables about linked containers for a process that is added now.
    var linkEnvironment: [String] {
        guard services.configuration.hasLinkEnvironment else { return [] }
        // What has ended meanwhile is no reason to refuse a process.
        return (try? bridgeLinks())?.flatMap(\.environment) ?? []
    }

    /// Has the containers that are linked to this one know its addresses, which may be others than at its last start.
    func tellLinkingContainers() async {
        guard let place = endpointDetails().first(where: { $0.network == "bridge" })?.endpoint else { return }
        for other in services.registry.all where other.id != id && other.isLinkedOnBridge {
            await other.update(linkTo: id, addresses: place.addresses)
        }
    }

    nonisolated private var isLinkedOnBridge: Bool {
        let record = current
        return record.state.running != nil && !record.configuration.host.links.isEmpty
            && record.configuration.networkNames.contains("bridge")
    }

    private func update(linkTo other: String, addresses: [IPAddress]) async {
        for text in record.configuration.host.links {
            // A link to what is not there is none to this one.
            guard let (container, alias) = try? linked(text), container.id == other else { continue }
            let record = container.current
            let names = HostsFile.namesOfLink(
                alias: alias, hostname: record.configuration.hostname, name: record.name)
            await filesGate.enter()
            defer { filesGate.leave() }
            do {
                let files = try networkFiles(networkPresence?.endpoints ?? [])
                try await services.pool.run { try files.update(link: names, to: addresses) }
            } catch {
                logger.error("cannot tell the container the address of \(record.name): \(error)")
            }
        }
    }
}
