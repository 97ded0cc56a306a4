import Addresses

/// The content of a container's `/etc/hosts`, to the byte as Docker writes it.
package enum HostsFile {
    private static let loopback = "127.0.0.1\tlocalhost\n"
    private static let ipv6 = """
        ::1\tlocalhost ip6-localhost ip6-loopback
        fe00::\tip6-localnet
        ff00::\tip6-mcastprefix
        ff02::1\tip6-allnodes
        ff02::2\tip6-allrouters

        """

    /// The file of a container with these addresses; with the host's network it has none.
    ///
    /// - Parameters:
    ///   - names: What `names(hostname:domainname:)` gives.
    ///   - addresses: Its addresses on all its networks, of each network IPv4 before IPv6.
    ///   - extraHosts: What else it has to know. Legacy links are among them, with several names each
    ///     (`namesOfLink`).
    ///   - gateways: What `host-gateway` stands for: addresses of the default bridge, or those in the daemon's
    ///     configuration. Without any, such hosts are left out.
    ///   - hasIPv6: Whether the loopback interface has ::1; without it there is no line with an IPv6 address.
    package static func content(
        names: String, addresses: [IPAddress], extraHosts: [ExtraHost], gateways: [IPAddress], hasIPv6: Bool
    ) -> String {
        var text = loopback + (hasIPv6 ? ipv6 : "")
        for host in extraHosts {
            for address in host.address.map({ [$0] }) ?? gateways where hasIPv6 || !address.isIPv6 {
                text += line(address, host.name)
            }
        }
        return adding(addresses, names: names, hasIPv6: hasIPv6, to: text)
    }

    /// The file of a container with the host's network: the host's own, unless there are extra hosts, whose names may
    /// be in the host's file with other addresses.
    package static func content(
        ofHost hostsFile: String, extraHosts: [ExtraHost], gateways: [IPAddress]
    ) -> String {
        if extraHosts.isEmpty { return hostsFile }
        return content(names: "", addresses: [], extraHosts: extraHosts, gateways: gateways, hasIPv6: true)
    }

    /// The file with lines for more addresses, when a running container gets them. What was edited stays.
    package static func adding(
        _ addresses: [IPAddress], names: String, hasIPv6: Bool, to text: String
    ) -> String {
        addresses.filter { hasIPv6 || !$0.isIPv6 }.reduce(text) { $0 + line($1, names) }
    }

    /// The file without the lines of these addresses, when a running container loses them. Lines that were edited stay,
    /// empty ones do not.
    package static func removing(_ addresses: [IPAddress], names: String, from text: String) -> String {
        let ending = "\t" + names
        return text.split(whereSeparator: \.isNewline).filter { line in
            guard !line.hasPrefix("#"), line.hasSuffix(ending) else { return true }
            let address = IPAddress(line.dropLast(ending.count).filter { !$0.isWhitespace })
            return !addresses.contains { $0 == address }
        }.map { $0 + "\n" }.joined()
    }

    /// The file after a container with these names has got other addresses, of each family one. Lines with other names,
    /// or none of that family, stay as they are.
    package static func moving(_ names: String, to addresses: [IPAddress], in text: String) -> String {
        let ending = "\t" + names
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.hasSuffix(ending), let old = IPAddress(String(line.dropLast(ending.count))),
                let new = addresses.first(where: { $0.family == old.family })
            else { return String(line) }
            return "\(new)" + ending
        }.joined(separator: "\n")
    }

    /// The names of the container itself: the full one first, then what is before its first dot.
    package static func names(hostname: String, domainname: String) -> String {
        let full = domainname.isEmpty ? hostname : hostname + "." + domainname
        guard let dot = full.firstIndex(of: ".") else { return full }
        return full + " " + full[..<dot]
    }

    /// The names of a container that is linked on the default bridge.
    package static func namesOfLink(alias: String, hostname: String, name: String) -> String {
        alias + " " + hostname + (alias == name ? "" : " " + name)
    }

    private static func line(_ address: IPAddress, _ names: String) -> String { "\(address)\t\(names)\n" }
}
