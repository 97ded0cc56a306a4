import LinuxKernel
import SystemPackage
import TLS

/// How a registry proves to be itself, and how we do: a folder of certificates in the form of Docker's `certs.d`.
package struct RegistryTrust: Hashable, Sendable {
    /// `HOST[:PORT]` folder, or `nil` for the system's certificates alone.
    var folder: FilePath?
    /// Whether the registry's certificate is checked at all.
    var verifies = true

    package init(folder: FilePath? = nil, verifies: Bool = true) {
        self.folder = folder
        self.verifies = verifies
    }

    /// The first folder that there is for a registry.
    static func folder(for domain: String, in folders: [FilePath]) -> FilePath? {
        folders.lazy.map { $0.appending(domain) }.first { $0.isDirectory }
    }

    /// What connections to the registry need to know: `*.crt` are authorities beside the system's, `*.cert` with the
    /// `*.key` of the same name is the client's certificate.
    func context() throws(DistributionError) -> TLSContext {
        var (authorities, pair): ([FilePath], (certificate: FilePath, key: FilePath)?) = ([], nil)
        if let folder { (authorities, pair) = try Self.files(in: folder) }
        do {
            let identity = try pair.map { pair throws(TLSError) in
                try TLSIdentity(chainFile: pair.certificate, keyFile: pair.key)
            }
            return try TLSContext(authorities: authorities, verifies: verifies, identity: identity)
        } catch {
            throw DistributionError(.tls, "cannot use the certificates\(folder.map { " in \($0)" } ?? ""): \(error)")
        }
    }

    /// The authorities, and the last pair of a client's certificate and key.
    private static func files(
        in folder: FilePath
    ) throws(DistributionError) -> (authorities: [FilePath], pair: (certificate: FilePath, key: FilePath)?) {
        var (authorities, pair): ([FilePath], (certificate: FilePath, key: FilePath)?) = ([], nil)
        let names: [String]
        do throws(Errno) {
            names = try DirectoryListing.names(of: folder).map { String(decoding: $0, as: UTF8.self) }.sorted()
        } catch {
            throw DistributionError(.tls, "open \(folder): \(error)")
        }
        for name in names {
            let path = folder.appending(name)
            if name.hasSuffix(".crt") {
                authorities.append(path)
            } else if name.hasSuffix(".cert") {
                let key = String(name.dropLast(5)) + ".key"
                guard names.contains(key) else {
                    throw DistributionError(
                        .tls,
                        "missing key \(key) for client certificate \(name). CA certificates must use the extension .crt"
                    )
                }
                pair = (path, folder.appending(key))
            } else if name.hasSuffix(".key"), !names.contains(String(name.dropLast(4)) + ".cert") {
                throw DistributionError(
                    .tls, "missing client certificate \(name.dropLast(4)).cert for key \(name)")
            }
        }
        return (authorities, pair)
    }
}

extension FilePath {
    fileprivate var isDirectory: Bool {
        // What cannot be looked at cannot be used either.
        (try? DirectoryListing.names(of: self)) != nil
    }
}
