import Addresses
import CNI
import LinuxKernel
import Netlink
import OCISpec
import PublishedPorts
import SystemPackage
import Text

extension Networks {
    /// How long a start of the daemon waits for plugins that take away what is left of containers.
    static let patienceWithPlugins: Duration = .seconds(60)
    /// How long plugins of a killed daemon are waited for.
    private static let patienceWithOrphans: Duration = .seconds(30)

    /// The networks that files define, and those that only containers still have.
    package func withPluginNetworks() async throws -> [Network] {
        try await pool.run { [self] in
            var networks = all
            for entry in try definitions() where !networks.contains(where: { $0.id == entry.id }) {
                networks.append(entry)
            }
            return networks.sorted { $0.name < $1.name }
        }
    }

    /// As `network`, for those who can wait for the disk: a network of plugins that no container is on has to be
    /// defined by a file, and is found by its id, too.
    package func lookUp(_ term: String) async throws -> Network {
        try await pool.run { [self] in
            if let name = PluginNetwork.name(in: term), existing(term) == nil {
                _ = try list(named: name)
                return try definitions().first { $0.name == term } ?? PluginNetwork.network(term)
            }
            do throws(NetworksError) { return try network(term) } catch {
                guard error.kind == .notFound, !term.isEmpty else { throw error }
                let found = try definitions().filter { $0.id.hasPrefix(term) }
                guard found.count == 1 else { throw error }
                return found[0]
            }
        }
    }

    private func definitions() throws(NetworksError) -> [Network] {
        do throws(CNIError) {
            var names: Set<String> = []
            return try pluginNetworks.entries().compactMap { entry in
                // One that cannot be used is told of when somebody asks for it.
                guard let list = try? entry.list.get(), names.insert(list.name).inserted else { return nil }
                return PluginNetwork.network(
                    PluginNetwork.prefix + list.name,
                    createdAt: Timestamp(seconds: entry.modified, nanoseconds: 0))
            }
        } catch {
            throw NetworksError(error)
        }
    }

    private func list(named name: String) throws(NetworksError) -> NetworkConfigurationList {
        do throws(CNIError) { return try pluginNetworks.list(named: name) } catch { throw NetworksError(error) }
    }

    private var holdDirectory: FilePath { configuration.execRoot.appending("netns") }

    private func hold(of sandbox: String) -> NamespaceHold { NamespaceHold(sandbox, in: holdDirectory) }

    // MARK: Joining

    func joinPluginNetwork(_ request: SandboxRequest) throws(NetworksError) -> Sandbox {
        guard request.endpoints.count == 1 else { throw PluginNetwork.notAlone }
        let wanted = request.endpoints[0]
        if !endpoints(of: request.id).isEmpty {
            do throws(NetworksError) { try leaveNow(request.id) } catch {
                throw NetworksError(
                    error.kind, "what the container had when it last ran cannot be taken away: \(error.message)")
            }
        }
        let list = try list(named: PluginNetwork.name(in: wanted.network) ?? "")
        try checkCapabilities(wanted, list)
        defer { portChoice.withLock { $0[request.id] = nil } }
        let (network, reserved, ports) = try reserve(wanted, request)
        let hold = hold(of: request.id)
        var remains: Endpoint?
        do throws(NetworksError) {
            let attachment = PluginAttachment(
                record: try prepare(list, wanted, reserved, ports, hold), ports: ports)
            let endpoint = reserved.with(attachment)
            try table.add([endpoint], of: network)
            let (sandbox, result) = try build(request, endpoint, attachment, hold, &remains)
            entries.withLock { $0[network.id]?.endpoints[request.id] = result }
            return sandbox
        } catch {
            if let remains {
                keep(remains)
                throw error
            }
            removeHold(hold, of: request.id)
            // A row that stays is freed when the container starts the next time, or the daemon does.
            try? table.removeEndpoints(of: request.id)
            forget(request.id, on: [network.id])
            throw error
        }
    }

    /// Keeps the place of a container that the plugins could not take back, so that they are asked again when the
    /// container leaves or starts, or the daemon does.
    private func keep(_ remains: Endpoint) {
        entries.withLock { $0[remains.networkID]?.endpoints[remains.sandbox] = remains }
        do throws(NetworksError) { try table.update(remains) } catch {
            logger.error(
                "cannot write down what plugins have said: at DEL the next daemon cannot tell them",
                metadata: ["id": "\(remains.sandbox)", "error": "\(error)"])
        }
    }

    /// Gives the container a place in memory, and ports that nobody else gets until `portChoice` has them no more.
    private func reserve(
        _ wanted: EndpointRequest, _ request: SandboxRequest
    ) throws(NetworksError) -> (Network, Endpoint, [PortRequest]) {
        let network = PluginNetwork.network(wanted.network, createdAt: .now())
        let ports: [PortRequest]
        do throws(HostPortChoice.Refusal) {
            ports = try portChoice.withLock { reserved throws(HostPortChoice.Refusal) in
                let taken = reserved.merging(pluginPorts) { $0 + $1 }
                let ports = try HostPortChoice(taken: taken).choose(wanted.ports)
                reserved[request.id] = ports
                return ports
            }
        } catch {
            throw refusal(error.withHolder(), request)
        }
        let endpoint = try entries.withLock { entries throws(NetworksError) in
            var entry = entries[network.id] ?? NetworkEntry(network)
            let endpoint = try entry.plan(wanted, for: request, besides: [])
            entries[network.id] = entry
            return endpoint
        }
        return (network, endpoint, ports)
    }

    /// The ports of the host that plugins publish, by containers.
    private var pluginPorts: [String: [PortRequest]] {
        entries.withLock { entries in
            let endpoints = entries.values.flatMap { $0.endpoints.values.filter { $0.plugins != nil } }
            return Dictionary(endpoints.map { ($0.sandbox, $0.plugins?.ports ?? []) }) { $0 + $1 }
        }
    }

    private func refusal(_ conflict: PortConflict, _ request: SandboxRequest) -> NetworksError {
        let names = entries.withLock { entries in
            entries.values.flatMap { $0.endpoints.values.map { ($0.sandbox, $0.sandboxName) } }
        }
        let message = conflict.cause(
            endpoint: request.name, id: RandomIdentifier.short(request.id), target: PortTarget(sandbox: request.id)
        ) { id in names.first { $0.0 == id }?.1 }
        // As for the ports of other networks, which shims bind.
        return .system(message)
    }

    /// What was asked for has to be the business of one of the plugins.
    private func checkCapabilities(
        _ wanted: EndpointRequest, _ list: NetworkConfigurationList
    ) throws(NetworksError) {
        var needs: [(String, String, String)] = []
        if !wanted.ports.isEmpty { needs.append((Capability.portMappings, "publish ports", "portmap")) }
        if wanted.ipv4 != nil || wanted.ipv6 != nil {
            needs.append((Capability.addresses, "give a container the address that it asks for", "bridge"))
        }
        if wanted.macAddress != nil {
            needs.append((Capability.hardwareAddress, "give a container a hardware address", "tuning"))
        }
        if !wanted.aliases.isEmpty { needs.append((Capability.aliases, "give a container more names", "dnsname")) }
        for (capability, what, example) in needs where !list.has(capability: capability) {
            throw .invalid(
                "the network \(wanted.network) cannot \(what): none of its plugins "
                    + "(\(list.plugins.map(\.type).joined(separator: ", "))) has the capability \"\(capability)\"; in "
                    + "its file, give one that can do it, such as \(example), "
                    + "\"capabilities\": {\"\(capability)\": true}")
        }
    }

    private func prepare(
        _ list: NetworkConfigurationList, _ wanted: EndpointRequest, _ endpoint: Endpoint, _ ports: [PortRequest],
        _ hold: NamespaceHold
    ) throws(NetworksError) -> AttachmentRecord {
        var capabilities: [Capability] = []
        if !ports.isEmpty { capabilities.append(.portMappings(ports.compactMap(\.mapping))) }
        let addresses = [wanted.ipv4, wanted.ipv6].compactMap(\.self)
        if !addresses.isEmpty { capabilities.append(.addresses(addresses)) }
        if let address = wanted.macAddress { capabilities.append(.hardwareAddress(address)) }
        if !wanted.aliases.isEmpty { capabilities.append(.aliases(wanted.aliases)) }
        let resolver = wanted.resolver
        if !resolver.isEmpty {
            capabilities.append(
                .resolver(servers: resolver.servers, searches: resolver.searches, options: resolver.options))
        }
        do throws(CNIError) {
            return try plugins.prepare(
                list,
                AttachmentParameters(
                    container: endpoint.sandbox, namespace: hold.path, interface: endpoint.interfaceName,
                    capabilities: capabilities))
        } catch {
            throw NetworksError(error)
        }
    }

    /// Makes the namespace, and has the plugins put the container on the network. After an error they have taken it
    /// back, or `remains` is what they were told and have said.
    private func build(
        _ request: SandboxRequest, _ endpoint: Endpoint, _ attachment: PluginAttachment, _ hold: NamespaceHold,
        _ remains: inout Endpoint?
    ) throws(NetworksError) -> (Sandbox, Endpoint) {
        var prepared: PreparedNamespace?
        defer { namespaces.refill() }
        if request.namespace == nil { prepared = try namespaces.take() }
        guard let namespace = request.namespace ?? prepared?.descriptor else {
            throw .system("there is no network namespace")
        }
        try Inside(namespace).allowIPv6()
        let token: FileDescriptor
        do throws(Errno) {
            try hold.make(namespace)
            token = try hold.takeLock(patience: Self.patienceWithOrphans)
        } catch {
            throw .system("cannot bind the container's network namespace at \(hold.path): \(error.words)")
        }
        defer { NamespaceHold.releaseLock(token) }
        var attachment = attachment
        do throws(CNIError) { try plugins.add(&attachment.record, token: token) } catch {
            if error.hasRemains { remains = endpoint.with(attachment) }
            throw NetworksError(error)
        }
        let result = endpoint.with(attachment)
        do throws(NetworksError) { try table.update(result) } catch {
            do throws(CNIError) { try plugins.delete(attachment.record, token: token) } catch let deletion {
                remains = result
                throw NetworksError(
                    error.kind,
                    "\(error.message); what plugins have made may be there still: \(deletion.message)")
            }
            throw error
        }
        return (Sandbox(id: request.id, endpoints: [result], namespace: namespace, prepared: prepared), result)
    }

    // MARK: Leaving

    /// Has the plugins take a container away. If one of them cannot, its row stays, and they are asked again when the
    /// container or the daemon starts.
    ///
    /// - Parameter limit: how long the plugins together may take.
    func leavePluginNetwork(_ endpoint: Endpoint, within limit: Duration? = nil) throws(NetworksError) {
        guard let attachment = endpoint.plugins else { return }
        let end = limit.map { ContinuousClock.now + $0 }
        func left() throws(NetworksError) -> Duration? {
            guard let end else { return nil }
            let left = end - .now
            if left > .zero { return left }
            throw .system("others took the plugins too long; they are asked again at the next start")
        }
        let patience = min(try left() ?? Self.patienceWithOrphans, Self.patienceWithOrphans)
        let hold = hold(of: endpoint.sandbox)
        let token: FileDescriptor
        do throws(Errno) { token = try hold.takeLock(patience: patience) } catch {
            throw .system("cannot lock the container's network namespace at \(hold.path): \(error.words)")
        }
        defer { NamespaceHold.releaseLock(token) }
        let time = try left()
        do throws(CNIError) { try plugins.delete(attachment.record, token: token, within: time) } catch {
            throw NetworksError(error)
        }
        removeHold(hold, of: endpoint.sandbox)
        try table.removeEndpoints(of: endpoint.sandbox)
        forget(endpoint.sandbox, on: [endpoint.networkID])
    }

    private func removeHold(_ hold: NamespaceHold, of sandbox: String) {
        do throws(Errno) { try hold.remove() } catch {
            logger.error(
                "cannot remove the path of a network namespace",
                metadata: ["id": "\(sandbox)", "path": "\(hold.path)", "error": "\(error.words)"])
        }
    }

    // MARK: After the daemon's end

    /// Binds the namespace of a container that runs where its plugins look for it, unless it is there.
    package func hold(_ sandbox: String, process: Int32) async {
        guard endpoints(of: sandbox).contains(where: { $0.plugins != nil }) else { return }
        do {
            try await pool.run { [self] in
                let hold = hold(of: sandbox)
                if hold.isHeld { return }
                let namespace = try Files.open(FilePath("/proc/\(process)/ns/net"), .readOnly)
                defer { namespace.discard() }
                try hold.make(namespace)
            }
        } catch {
            logger.error(
                "cannot bind a container's network namespace: what plugins look up there they will not find",
                metadata: ["id": "\(sandbox)", "error": "\(error)"])
        }
    }

    /// Lets go of namespaces of containers that are on no network of plugins.
    func removeStrayNamespaces() {
        let known = entries.withLock { entries in
            Set(entries.values.flatMap { $0.endpoints.values.filter { $0.plugins != nil }.map(\.sandbox) })
        }
        for sandbox in NamespaceHold.sandboxes(in: holdDirectory).subtracting(known) {
            removeHold(hold(of: sandbox), of: sandbox)
        }
    }
}

extension PortRequest {
    /// What the plugins are told of a request that names one port.
    fileprivate var mapping: Capability.PortMapping? {
        guard case .exact(let port) = hostPort else { return nil }
        return Capability.PortMapping(port, to: containerPort, transport, address: hostAddress)
    }
}

extension NetworksError {
    init(_ error: CNIError) { self.init(error.kind, error.message) }
}
