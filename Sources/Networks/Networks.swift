import Addresses
import BlockingCalls
import CNI
import GRDB
import LinuxKernel
import Logging
import Netlink
import OCISpec
import PublishedPorts
import Synchronization
import SystemPackage
import Text

/// Networks, and who is on them.
///
/// A *network* has blocks of addresses and a driver. A container that starts *joins*: it gets a network namespace (a
/// *sandbox*) and on each of its networks a place (an *endpoint*): addresses and an interface. All that has to outlive
/// the daemon is in the database and in the kernel; at its start the daemon compares the two (`recover`).
///
/// Whose network namespace is the host's is decided by the threads of `pool`: all work is done on them. What containers
/// are, and when they run, is for others to know.
package final class Networks: Sendable {
    let configuration: NetworksConfiguration
    let table: NetworkTable
    let host: HostNetwork
    let namespaces: NamespacePool
    let firewall: NetfilterSocket
    let ports: PortForwarding
    let logger: Logger
    let plugins: NetworkPlugins
    let pluginNetworks: ConfigurationDirectory
    /// The ports of the host of containers that are about to be on networks of plugins, by their ids; held while one
    /// of them gets its ports.
    let portChoice = Mutex<[String: [PortRequest]]>([:])
    let entries = Mutex<[String: NetworkEntry]>([:])
    /// Held while networks are made or removed: one after the other.
    let changes = Mutex(())
    /// How often somebody wanted a file of names to be written.
    let nameChanges = Atomic<UInt64>(0)
    /// Held while a file of names is written: which changes are in the files, by the networks' ids.
    let writtenNames = Mutex<[String: UInt64]>([:])
    /// Looks at what others do to the firewall.
    let watch = Mutex<FirewallWatch?>(nil)
    /// What the watch could not do, by what it was about to do: each is told once, until it succeeds.
    let firewallFailures = Mutex<[String: String]>([:])
    let pool: BlockingPool
    /// Where plugins are waited for: a slow one must hold up nobody but its own container. Its threads are made by
    /// those of `pool`, and so are in the same network namespace.
    private let pluginPool = BlockingPool(threads: 32, name: "cni")

    /// How many containers a network of the driver bridge can have.
    package static let portsOfBridge = BridgeLink.portLimit

    private init(
        _ configuration: NetworksConfiguration, database: any DatabaseWriter, pool: BlockingPool, logger: Logger
    ) throws(NetworksError) {
        self.configuration = configuration
        self.pool = pool
        self.logger = logger
        table = NetworkTable(database: database)
        plugins = NetworkPlugins(
            directories: configuration.pluginDirectories, timeLimit: configuration.pluginTimeLimit)
        pluginNetworks = ConfigurationDirectory(configuration.pluginConfigurations)
        namespaces = NamespacePool(size: configuration.preparedNamespaces, pool: pool)
        do throws(NetlinkError) {
            host = try HostNetwork()
            firewall = try NetfilterSocket()
            ports = PortForwarding(configuration.firewallMode, socket: firewall, logger: logger)
        } catch {
            throw .system("\(error)")
        }
    }

    /// The tables of networks.
    package static func registerMigrations(in migrator: inout DatabaseMigrator) {
        NetworkTable.registerMigrations(in: &migrator)
    }

    /// Finds the networks of the database, makes those that every daemon has, and sees to it that the kernel has them
    /// all.
    package static func open(
        _ configuration: NetworksConfiguration, database: any DatabaseWriter, pool: BlockingPool, logger: Logger
    ) async throws -> Networks {
        try await pool.run {
            let networks = try Networks(configuration, database: database, pool: pool, logger: logger)
            try networks.openNow()
            return networks
        }
    }

    /// Lets go of what is kept ready. Networks and containers stay as they are.
    package func close() {
        endWatch()
        namespaces.drain()
    }

    // MARK: What there is

    /// All networks, in the order of their names.
    package var all: [Network] { entries.withLock { $0.values.map(\.network) }.sorted { $0.name < $1.name } }

    /// The network with this id, this name, or an id that alone begins like this.
    package func network(_ term: String) throws(NetworksError) -> Network {
        try entries.withLock { entries throws(NetworksError) in
            do throws(NetworksError) { return try Self.find(term, in: entries).network } catch {
                // Whether a file defines it is for those to find out who can wait.
                guard PluginNetwork.name(in: term) != nil else { throw error }
                return PluginNetwork.network(term)
            }
        }
    }

    static func find(_ term: String, in entries: [String: NetworkEntry]) throws(NetworksError) -> NetworkEntry {
        if let entry = entries[term] { return entry }
        // Docker's name for the default.
        let name = term == "default" ? "bridge" : term
        if let entry = entries.values.first(where: { $0.network.name == name }) { return entry }
        let matches = entries.values.filter { !term.isEmpty && $0.network.id.hasPrefix(term) }
        if matches.count > 1 {
            throw .invalid("network \(term) is ambiguous (\(matches.count) matches found based on ID prefix)")
        }
        guard let match = matches.first else { throw .notFound(term) }
        return match
    }

    /// Who is on the network with this id, in the order of their names.
    package func endpoints(on network: String) -> [Endpoint] {
        let endpoints = entries.withLock { $0[network]?.endpoints.values.map(\.self) ?? [] }
        return endpoints.sorted { ($0.sandboxName, $0.sandbox) < ($1.sandboxName, $1.sandbox) }
    }

    /// The places of a container, in the order of its interfaces.
    package func endpoints(of sandbox: String) -> [Endpoint] {
        let endpoints = entries.withLock { $0.values.compactMap { $0.endpoints[sandbox] } }
        return endpoints.sorted { ($0.interfaceName, $0.networkName) < ($1.interfaceName, $1.networkName) }
    }

    /// How much of the pools of the network with this id is taken.
    package func usage(of network: String) -> [PoolUsage] {
        entries.withLock { $0[network]?.leases.map(\.usage) ?? [] }
    }

    // MARK: Changes

    /// Makes a network.
    ///
    /// - Returns: The network, and what its maker has to be told.
    package func create(_ request: NetworkRequest) async throws -> (network: Network, warning: String?) {
        try await pool.run { [self] in (try createNow(request), nil) }
    }

    /// Removes a network that nobody is on, by its id or name.
    package func remove(_ term: String) async throws -> Network {
        try await pool.run { [self] in try removeNow(term) }
    }

    /// Gives a container that is about to start its network.
    package func join(_ request: SandboxRequest) async throws -> Sandbox {
        // One that is to be on another network may have left something on a network of plugins.
        let usesPlugins = request.usesPlugins || endpoints(of: request.id).contains { $0.plugins != nil }
        return try await run(withPlugins: usesPlugins) { networks in try networks.joinNow(request) }
    }

    private func run<Value: Sendable>(
        withPlugins usesPlugins: Bool, _ body: @escaping @Sendable (Networks) throws -> Value
    ) async throws -> Value {
        guard usesPlugins else { return try await pool.run { [self] in try body(self) } }
        return try await withCheckedThrowingContinuation { continuation in
            pool.submit { [self] in
                pluginPool.submit { continuation.resume(with: Result { try body(self) }) }
            }
        }
    }

    /// Puts a container that runs on one more network.
    ///
    /// - Parameters:
    ///   - sandbox: The container, with its namespace; its endpoints are left out of account.
    package func connect(_ endpoint: EndpointRequest, _ sandbox: SandboxRequest) async throws -> Endpoint {
        try await pool.run { [self] in try connectNow(endpoint, sandbox) }
    }

    /// Takes a container from a network.
    ///
    /// - Parameter namespace: Its network namespace; `nil` if it does not run any more.
    package func disconnect(_ network: String, sandbox: String, namespace: FileDescriptor?) async throws {
        try await pool.run { [self] in try disconnectNow(network, sandbox, namespace) }
    }

    /// Lets others find a container by another name than until now. One that is on no network is nothing to change.
    package func rename(_ sandbox: String, to name: String) async throws {
        try await pool.run { [self] in try renameNow(sandbox, name) }
    }

    /// Frees what a container that has ended had. What cannot be freed is logged, and freed at the daemon's next start.
    ///
    /// - Parameter sharedNamespace: Its network namespace if others still have that, whose interfaces then do not go by
    ///   themselves.
    package func leave(_ sandbox: String, sharedNamespace: FileDescriptor? = nil) async {
        do {
            let usesPlugins = endpoints(of: sandbox).contains { $0.plugins != nil }
            try await run(withPlugins: usesPlugins) { networks in
                try networks.leaveNow(sandbox, sharedNamespace: sharedNamespace)
            }
        } catch {
            logger.error("cannot free a container's network", metadata: ["id": "\(sandbox)", "error": "\(error)"])
        }
    }

    /// Compares the database and the kernel with what runs: frees the addresses of all others, gives back to those that
    /// run what they lack on the host's side, and removes interfaces of Masu's that are nobody's.
    package func recover(_ running: Set<String>) async {
        do {
            try await pool.run { [self] in try recoverNow(running) }
        } catch {
            logger.error("cannot compare networks with the kernel", metadata: ["error": "\(error)"])
        }
    }
}
