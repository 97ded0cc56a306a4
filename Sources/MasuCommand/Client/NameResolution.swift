import Addresses
import DNS
import Glibc
import LinuxKernel
import SystemPackage
import Text

/// The addresses of a machine's name, from `/etc/hosts` and the servers of `/etc/resolv.conf`.
///
/// A static program must not ask the name service switch, which loads libraries.
package struct NameResolution {
    /// What `/etc/hosts` holds.
    let hosts: String
    /// What `/etc/resolv.conf` holds.
    let configuration: String

    /// A resolution with the contents of the two files.
    package init(hosts: String, configuration: String) {
        self.hosts = hosts
        self.configuration = configuration
    }

    /// That of this machine.
    static var own: NameResolution {
        // A file that is not there is the same as an empty one.
        let hosts = (try? LocalFile.read("/etc/hosts")) ?? []
        let configuration = (try? LocalFile.read("/etc/resolv.conf")) ?? []
        return NameResolution(
            hosts: String(decoding: hosts, as: UTF8.self), configuration: String(decoding: configuration, as: UTF8.self)
        )
    }

    /// The addresses of a name, the best first.
    ///
    /// - Throws: ``CommandError`` in docker's words.
    package func addresses(of host: String) throws(CommandError) -> [IPAddress] {
        if let address = IPAddress(host) { return [address] }
        let known = listed(host)
        if !known.isEmpty { return known }
        if host == "localhost" { return [.loopback(.ipv4), .loopback(.ipv6)] }
        let servers = self.servers
        guard !servers.isEmpty else {
            throw CommandError("lookup \(host): no such host: /etc/resolv.conf names no server")
        }
        var silence: IPAddress?
        for name in candidates(host) {
            switch ask(servers, for: name) {
            case .addresses(let found) where !found.isEmpty: return found
            case .addresses: continue
            case .silence: silence = servers[0]
            }
        }
        throw CommandError(
            "lookup \(host) on \(HumanText.joined(host: servers[0].description, port: "53")): "
                + (silence == nil ? "no such host" : "i/o timeout"))
    }

    /// What `/etc/hosts` says.
    package func listed(_ host: String) -> [IPAddress] {
        let name = host.lowercased()
        return hosts.split(separator: "\n").compactMap { line in
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            return words.dropFirst().contains { $0.lowercased() == name } ? IPAddress(words[0]) : nil
        }
    }

    /// The servers of `/etc/resolv.conf`, three at most; resolv.conf(5).
    package var servers: [IPAddress] {
        Array(directives("nameserver").compactMap { $0.first.flatMap { IPAddress($0) } }.prefix(3))
    }

    /// The names to ask for, one after the other: with `ndots` dots or more the name itself comes first.
    package func candidates(_ host: String) -> [DomainName] {
        let isComplete = host.hasSuffix(".")
        guard let name = DomainName(host) else { return [] }
        if isComplete { return [name] }
        let domains = directives("search").last ?? directives("domain").last.map { Array($0.prefix(1)) } ?? []
        let longer = domains.compactMap { DomainName("\(host).\($0)") }
        let dots = directives("options").joined().compactMap { option in
            option.hasPrefix("ndots:") ? Int(option.dropFirst(6)) : nil
        }.last
        return host.utf8.count(where: { $0 == UInt8(ascii: ".") }) >= (dots ?? 1) ? [name] + longer : longer + [name]
    }

    private func directives(_ name: String) -> [[Substring]] {
        configuration.split(separator: "\n").compactMap { line in
            let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            return words.first.map { $0 == name } == true ? Array(words.dropFirst()) : nil
        }
    }

    private enum Outcome {
        /// Empty where there is no such name.
        case addresses([IPAddress])
        case silence
    }

    /// Asks for both kinds of addresses at once: each server in turn, twice.
    private func ask(_ servers: [IPAddress], for name: DomainName) -> Outcome {
        for server in servers + servers {
            var found: [IPAddress] = []
            var answers = 0
            for type in [RecordType.a, .aaaa] {
                guard let message = exchange(Question(name, type), with: server) else { break }
                let isFinal = [.noError, .nameError].contains(message.header.responseCode)
                guard isFinal else { break }
                answers += 1
                for case .address(let address) in message.answers.map(\.content) { found.append(address) }
            }
            if answers == 2 || !found.isEmpty { return .addresses(found) }
        }
        return .silence
    }

    /// One question to one server. Nil without an answer within five seconds.
    private func exchange(_ question: Question, with server: IPAddress) -> DNSMessage? {
        let socket: FileDescriptor
        do throws(Errno) {
            socket = try InternetSocket.make(.udp, server.family)
        } catch {
            return nil
        }
        defer { close(socket.rawValue) }
        let id = UInt16.random(in: .min ... .max)
        let query = DNSMessage(MessageHeader(id: id, flags: .recursionDesired), questions: [question]).serialised()
        do throws(Errno) {
            _ = try socket.connect(to: SocketAddress(server, 53))
        } catch {
            return nil
        }
        guard send(socket.rawValue, query, query.count, Int32(MSG_NOSIGNAL)) == query.count else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, 5000)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return nil }
            let count = recv(socket.rawValue, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            // Something that is no message is not the answer that is waited for.
            guard let message = try? DNSMessage(parsing: Array(buffer[..<count])) else { continue }
            let isAnswer = message.header.id == id && message.header.isResponse
            if isAnswer, message.questions.first?.isSame(as: question) == true { return message }
        }
    }
}
