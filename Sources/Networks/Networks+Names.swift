import DNS
import LinuxKernel
import SystemPackage

extension Networks {
    /// Where the files of a network lie that are gone after a boot.
    func directory(of network: String) -> FilePath {
        configuration.execRoot.appending("networks").appending(network)
    }

    /// The file of names of the network with this id, which shims map; see `NameTable`.
    package func namesFile(of network: String) -> FilePath { directory(of: network).appending("names") }

    func renameNow(_ sandbox: String, _ name: String) throws(NetworksError) {
        for endpoint in endpoints(of: sandbox) {
            let renamed = endpoint.renamed(name)
            try table.update(renamed)
            let network = entries.withLock { entries in
                entries[endpoint.networkID]?.endpoints[sandbox] = renamed
                return entries[endpoint.networkID]?.network
            }
            if let network { writeNames(of: network) }
        }
    }

    /// Writes who is on a network, under which names, for those who answer questions of containers.
    func writeNames(of network: Network) {
        guard network.hasNames else { return }
        do throws(Errno) {
            // Read and written while nobody else does: a file must not be replaced by an older one.
            try nameWriting.withLock { _ throws(Errno) in
                let endpoints = endpoints(on: network.id)
                if endpoints.isEmpty, !Files.exists(directory(of: network.id)) { return }
                try Files.makeDirectories(directory(of: network.id))
                try NameTableWriter.write(
                    endpoints.map { endpoint in
                        NamedEndpoint(
                            names: endpoint.dnsNames,
                            addresses: [endpoint.ipv4, endpoint.ipv6].compactMap { $0?.address })
                    }, to: namesFile(of: network.id))
            }
        } catch {
            logger.error(
                "cannot write the names of a network",
                metadata: ["name": "\(network.name)", "error": "\(error.words)"])
        }
    }
}
