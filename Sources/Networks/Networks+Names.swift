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
    ///
    /// Call it after the change. It takes as long as there are endpoints, so that of many changes at once one writes
    /// for all that wait.
    func writeNames(of network: Network) {
        guard network.hasNames else { return }
        let change = nameChanges.add(1, ordering: .sequentiallyConsistent).newValue
        do throws(Errno) {
            // Read and written while nobody else does: a file must not be replaced by an older one.
            try writtenNames.withLock { written throws(Errno) in
                if written[network.id] ?? 0 >= change { return }
                let latest = nameChanges.load(ordering: .sequentiallyConsistent)
                let endpoints = endpoints(on: network.id)
                if endpoints.isEmpty, !Files.exists(directory(of: network.id)) { return }
                try Files.makeDirectories(directory(of: network.id))
                try NameTableWriter.write(
                    endpoints.map { endpoint in
                        NamedEndpoint(
                            names: endpoint.dnsNames,
                            addresses: [endpoint.ipv4, endpoint.ipv6].compactMap { $0?.address })
                    }, to: namesFile(of: network.id))
                written[network.id] = latest
            }
        } catch {
            logger.error(
                "cannot write the names of a network",
                metadata: ["name": "\(network.name)", "error": "\(error.words)"])
        }
    }
}
