import Addresses
import DNS
import LinuxKernel
import Networks
import PublishedPorts
import SystemPackage

/// The files of a container that say who has which address, and whom to ask: `hosts`, `resolv.conf`, `hostname`.
struct ContainerNetworkFiles: Sendable {
    /// The container's.
    var configuration: ContainerConfiguration
    /// What holds for containers that do not say.
    var daemon: EngineConfiguration
    var hostname: String
    var network: LaunchNetwork
    /// Where they lie.
    var directory: FilePath

    private var host: HostConfiguration { configuration.host }
    private var ownNames: String { HostsFile.names(hostname: hostname, domainname: configuration.domainname) }

    /// Writes all of them for a start. Blocks.
    func write() throws(Errno) {
        try write("hostname", hostname + "\n")
        try write("hosts", hosts)
        try writeResolvConf()
    }

    /// Writes into them what has become of the networks of a container that runs, and leaves the rest as it was edited.
    /// Blocks.
    func update(added: [IPAddress], removed: [IPAddress]) throws(Errno) {
        // The container can write into both, as much as it likes: of what is longer the rest goes.
        let old = try Files.readText(directory.appending("hosts"), limit: Self.longestFile)
        // Reading takes the last line's end off.
        let without = HostsFile.removing(removed, names: ownNames, from: old + "\n")
        try write("hosts", HostsFile.adding(added, names: ownNames, hasIPv6: true, to: without))
        // A file that is not there is as good as one that was edited: somebody took it away.
        let current = (try? Files.readText(directory.appending("resolv.conf"), limit: Self.longestFile)) ?? ""
        let hash = try? Files.readText(directory.appending(Self.hashName))
        if NetworkFileHash.mayReplace(current + "\n", hash: hash) { try writeResolvConf() }
    }

    /// Gives the line of a linked container its addresses of now, where the line is as it was written. Blocks.
    ///
    /// - Parameter names: What the line says after the address.
    func update(link names: String, to addresses: [IPAddress]) throws(Errno) {
        let old = try Files.readText(directory.appending("hosts"), limit: Self.longestFile) + "\n"
        let new = HostsFile.moving(names, to: addresses, in: old)
        if new != old { try write("hosts", new) }
    }

    private static let longestFile = 1 << 20
    private static let hashName = "resolv.conf.hash"

    private func writeResolvConf() throws(Errno) {
        let text = resolvConf.text
        try write("resolv.conf", text)
        try write(Self.hashName, NetworkFileHash.text(of: text))
    }

    private var hosts: String {
        let extraHosts = host.extraHosts.map(\.value) + network.links
        if host.networkMode == .host {
            // Files of text end with a line's end, which reading has taken off.
            return HostsFile.content(
                ofHost: Machine.text("/etc/hosts") + "\n", extraHosts: extraHosts, gateways: network.gateways)
        }
        return HostsFile.content(
            names: ownNames, addresses: network.addresses, extraHosts: extraHosts, gateways: network.gateways,
            hasIPv6: true)
    }

    private var resolvConf: ResolvConf {
        var path = "/etc/resolv.conf"
        if ResolvConf.namesOnlyResolved(Machine.text(path)), Machine.exists(ResolvConf.pathOfResolved) {
            path = ResolvConf.pathOfResolved
        }
        return ResolvConf(
            host.networkMode == .host ? .host : network.nameSource,
            hostFile: Machine.exists(path) ? (path, Machine.text(path)) : nil,
            overrides: ResolvConf.Overrides(
                servers: Self.first(host.dns, network.advice.servers, daemon.dns),
                search: Self.first(host.dnsSearch, network.advice.searches, daemon.dnsSearch),
                options: Self.first(host.dnsOptions, network.advice.options, daemon.dnsOptions)))
    }

    /// What the container says goes before what its network says, and that before what the daemon says.
    private static func first<Value>(_ lists: [Value]...) -> [Value] { lists.first { !$0.isEmpty } ?? [] }

    /// What the container's resolver answers; nil if it has none.
    var resolver: ResolverConfiguration? {
        if network.names.isEmpty { return nil }
        let settings = resolvConf
        return ResolverConfiguration(
            networks: network.names, servers: settings.servers, mayUseHost: network.leadsOutside,
            keepsSingleLabels: settings.keepsSingleLabels)
    }

    /// In place: the container has them mounted.
    private func write(_ name: String, _ text: String) throws(Errno) {
        let file = try Files.open(directory.appending(name), [.writeOnly, .create, .truncate, .noFollow], mode: 0o644)
        defer { file.discard() }
        try file.writeEntire(Array(text.utf8))
    }
}

/// What a start needs to know of networks.
struct LaunchNetwork: Sendable {
    /// The path of the namespace that the container gets, with its interfaces; nil for a namespace without any, or
    /// another's.
    var namespace: String?
    /// Its places on networks, in the order of the interfaces.
    var endpoints: [Endpoint] = []
    /// The networks on which names of other containers are answered.
    var names: [ResolverConfiguration.Network] = []
    /// Whether one of its networks has a way out.
    var leadsOutside = false
    /// What is published; nil for nothing.
    var ports: PortPublication?
    /// What the plugins of its network say of names.
    var advice = ResolverWishes()
    /// Containers that it is linked to on the default bridge.
    var links: [ExtraHost] = []
    /// Variables about these, if the daemon is to give any.
    var linkEnvironment: [String] = []
    /// What `host-gateway` stands for.
    var gateways: [IPAddress] = []

    /// Of each network IPv4 before IPv6.
    var addresses: [IPAddress] { endpoints.flatMap(\.addresses) }

    var nameSource: ResolvConf.Source {
        names.isEmpty ? .servers(hasIPv6: addresses.contains(where: \.isIPv6)) : .resolver
    }
}

extension Endpoint {
    /// IPv4 before IPv6.
    var addresses: [IPAddress] { [ipv4?.address, ipv6?.address].compactMap { $0 } }
}
