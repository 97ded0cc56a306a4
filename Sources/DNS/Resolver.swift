import Addresses
import SystemPackage

/// What to do with a query.
package enum ResolverDecision: Hashable, Sendable {
    /// Send this.
    case answer([UInt8])
    /// Ask these servers, of which there is at least one, one after the other, until one has an answer.
    case forward(ForwardedQuery, [ResolverConfiguration.Server])
    /// It is no query: do nothing, lest two who take each other for servers never stop.
    case ignore
}

/// How a query came.
package enum ResolverTransport: Hashable, Sendable {
    case udp, tcp
}

/// Decides what becomes of a container's queries, as Docker's resolver does.
///
/// - Names are looked for on all networks of the container in order. `a.b.c` is first a name on any network, then `a.b`
///   on the network `c`, then `a` on the network `b.c`. Letters' case does not matter.
/// - A name that is known is never asked of servers, whatever type is wanted of it: a name without IPv6 addresses has
///   an empty answer to the question for them, as otherwise the answer would be that there is no such name.
/// - The address of a container leads to its first name and the network's: `web.backend.`.
/// - Several addresses come in random order.
/// - All else is asked of servers.
///
/// Nothing here does any input or output, apart from looking whether files of names have been replaced.
package struct Resolver {
    /// Where a container finds its resolver, at port 53.
    package static let address = IPAddress(.ipv4, 0x7F00_000B)
    /// For how many seconds answers may be kept.
    package static let timeToLive: UInt32 = 600
    /// How many servers are asked at most.
    package static let mostServers = 3
    /// The longest message that may be sent to those who do not say how much they take (RFC 1035, 4.2.1).
    package static let usualLimit = 512
    /// What is said of the length of messages that may be sent to the resolver.
    static let payloadSize: UInt16 = 4096

    /// How it is set up.
    package let configuration: ResolverConfiguration
    private let networks: [Network]

    private struct Network {
        /// `nil` if nobody can ask for names on it.
        var name: DomainName?
        /// The same in lower case.
        var key: DomainName?
        var names: () -> NameTable?
        var links: [DomainName: DomainName]
    }

    /// A resolver.
    ///
    /// - Parameter table: Gives the names of a network as they are at this moment.
    package init(
        _ configuration: ResolverConfiguration, table: (ResolverConfiguration.Network) -> () -> NameTable?
    ) {
        self.configuration = configuration
        networks = configuration.networks.map { network in
            let links = network.links.compactMap { alias, name -> (DomainName, DomainName)? in
                guard let alias = DomainName(alias), let name = DomainName(name) else { return nil }
                return (alias.lowercased, name.lowercased)
            }
            let name = DomainName(network.name)
            return Network(
                name: name, key: name?.lowercased, names: table(network),
                links: Dictionary(links) { first, _ in first })
        }
    }

    /// A resolver that reads the files its configuration names.
    package init(_ configuration: ResolverConfiguration) {
        self.init(configuration) { network in
            let file = NameFile(FilePath(network.namesFile))
            return { file.current() }
        }
    }

    // MARK: Decisions

    /// What to do with a query.
    package func decide(
        _ query: UnsafeRawBufferPointer, by transport: ResolverTransport,
        using generator: inout some RandomNumberGenerator
    ) -> ResolverDecision {
        let message: DNSMessage
        switch QueryCheck.check(query) {
        case .ignored: return .ignore
        case .refused(let header, let code): return .answer(DNSMessage(header.response(code)).serialised())
        case .accepted(let accepted): message = accepted
        }
        let question = message.questions[0]
        if let extended = message.extended, extended.version != 0 {
            return .answer(reply(to: message, .badVersion, by: transport))
        }
        if question.recordClass == .internet {
            if question.type == .ptr, let name = pointer(question.name) {
                let answers = name.map { [record(of: question, .pointer($0))] } ?? []
                return .answer(reply(to: message, answers: answers, by: transport))
            }
            if var addresses = addresses(question) {
                addresses.shuffle(using: &generator)
                let answers = addresses.map { record(of: question, .address($0)) }
                return .answer(reply(to: message, answers: answers, by: transport))
            }
            if configuration.keepsSingleLabels, [.a, .aaaa].contains(question.type), question.name.labels.count < 2 {
                return .answer(reply(to: message, by: transport))
            }
        }
        let servers = self.servers
        if servers.isEmpty { return .answer(reply(to: message, .serverFailure, by: transport)) }
        return .forward(ForwardedQuery(query, message), servers)
    }

    /// Those that are asked. The resolver's own address is none: the question would come back.
    private var servers: [ResolverConfiguration.Server] {
        let others = configuration.servers.filter { $0 != ResolverConfiguration.Server(Self.address, from: .container) }
        return others.prefix(Self.mostServers).filter { configuration.mayUseHost || $0.namespace == .container }
    }

    private func record(of question: Question, _ content: ResourceRecord.Content) -> ResourceRecord {
        ResourceRecord(question.name, content, timeToLive: Self.timeToLive)
    }

    private func reply(
        to query: DNSMessage, _ code: ResponseCode = .noError, answers: [ResourceRecord] = [],
        by transport: ResolverTransport
    ) -> [UInt8] {
        var reply = DNSMessage(query.header.response(code), questions: query.questions, answers: answers)
        if var extended = query.extended {
            extended.payloadSize = Self.payloadSize
            extended.version = 0
            reply.additional = [extended.record(code)]
        }
        return reply.serialised(limit: transport == .tcp ? Int(UInt16.max) : Self.limit(query.extended))
    }

    private static func limit(_ extended: ExtendedDNS?) -> Int {
        max(usualLimit, Int(extended?.payloadSize ?? 0))
    }

    // MARK: Names

    /// The addresses of the wanted kind of a name that is known; empty for all kinds that are no addresses.
    private func addresses(_ question: Question) -> [IPAddress]? {
        let name = question.name.lowercased
        let labels = name.labels
        for split in stride(from: labels.count, to: 0, by: -1) {
            guard let host = DomainName(labels: labels[..<split]) else { return nil }
            let networkName = split == labels.count ? nil : DomainName(labels: labels[split...])
            let networks = self.networks.filter { networkName == nil || $0.key == networkName }
            if let found = addresses(of: host, on: networks, question.type) { return found }
        }
        return nil
    }

    /// A container's own names for others come before theirs.
    private func addresses(of host: DomainName, on networks: [Network], _ type: RecordType) -> [IPAddress]? {
        for network in networks {
            if let target = network.links[host], let found = addresses(of: target, network, type) { return found }
        }
        for network in networks where network.links[host] == nil {
            if let found = addresses(of: host, network, type) { return found }
        }
        return nil
    }

    private func addresses(of host: DomainName, _ network: Network, _ type: RecordType) -> [IPAddress]? {
        guard let found = network.names()?.addresses(of: host, type == .aaaa ? .ipv6 : .ipv4) else { return nil }
        return [.a, .aaaa].contains(type) ? found : []
    }

    /// The name of an address that is somebody's; `.some(nil)` if the name cannot be written.
    private func pointer(_ name: DomainName) -> DomainName?? {
        guard let address = ReverseName.address(name) else { return nil }
        for network in networks {
            guard let host = network.names()?.name(of: address) else { continue }
            return .some(network.name.flatMap { host.below($0) })
        }
        return nil
    }
}
