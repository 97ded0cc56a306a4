/// The contents of /etc/hostname, /etc/hosts and /etc/resolv.conf of a container.
package enum NetworkFiles {
    /// `hostsFile` is the host's own, used with the host's network.
    package static func hosts(
        mode: NetworkMode, hostname: String, domainname: String, extraHosts: [ExtraHost], hostsFile: String
    ) -> String {
        var text: String
        if mode == .host {
            text = hostsFile
            if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        } else {
            text = """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::\tip6-localnet
                ff00::\tip6-mcastprefix
                ff02::1\tip6-allnodes
                ff02::2\tip6-allrouters

                """
        }
        for host in extraHosts {
            guard let address = host.address else { continue }
            text += address.description + "\t" + host.name + "\n"
        }
        return text
    }

    /// The host's resolver settings with what the container's options replace. In an own network name space the host's
    /// loopback servers cannot be reached and are left out.
    package static func resolvConf(
        mode: NetworkMode, servers: [String], search: [String], options: [String], hostFile: String
    ) -> String {
        var hostServers: [String] = []
        var hostSearch: [String] = []
        var hostOptions: [String] = []
        for line in hostFile.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard words.count > 1, !words[0].hasPrefix("#"), !words[0].hasPrefix(";") else { continue }
            switch words[0] {
            case "nameserver": hostServers.append(words[1])
            case "search", "domain": hostSearch = Array(words.dropFirst())
            case "options": hostOptions = Array(words.dropFirst())
            default: break
            }
        }
        if mode != .host { hostServers.removeAll { $0.hasPrefix("127.") || $0 == "::1" } }
        let allServers = servers.isEmpty ? hostServers : servers
        // A single dot means: no search domains at all.
        let allSearch = search == ["."] ? [] : search.isEmpty ? hostSearch : search
        let allOptions = options.isEmpty ? hostOptions : options
        var text = ""
        for server in allServers { text += "nameserver \(server)\n" }
        if !allSearch.isEmpty { text += "search \(allSearch.joined(separator: " "))\n" }
        if !allOptions.isEmpty { text += "options \(allOptions.joined(separator: " "))\n" }
        return text
    }
}
