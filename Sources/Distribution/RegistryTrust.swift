import LinuxKernel
import NIOSSL
import SystemPackage

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

    /// What NIOSSL needs to know: `*.crt` are authorities beside the system's, `*.cert` with the `*.key` of the same
    /// name is the client's certificate.
    func context() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if !verifies { configuration.certificateVerification = .none }
        do {
            if let folder { try add(folder, to: &configuration) }
            return try NIOSSLContext(configuration: configuration)
        } catch let error as DistributionError {
            throw error
        } catch {
            throw DistributionError(.tls, "cannot use the certificates\(folder.map { " in \($0)" } ?? ""): \(error)")
        }
    }

    private func add(_ folder: FilePath, to configuration: inout TLSConfiguration) throws {
        let names: [String]
        do throws(Errno) {
            names = try DirectoryListing.names(of: folder).map { String(decoding: $0, as: UTF8.self) }.sorted()
        } catch {
            throw DistributionError(.tls, "open \(folder): \(error)")
        }
        for name in names {
            let path = folder.appending(name).string
            if name.hasSuffix(".crt") {
                configuration.additionalTrustRoots.append(.file(path))
            } else if name.hasSuffix(".cert") {
                let key = String(name.dropLast(5)) + ".key"
                guard names.contains(key) else {
                    throw DistributionError(
                        .tls,
                        "missing key \(key) for client certificate \(name). CA certificates must use the extension .crt"
                    )
                }
                configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(path).map { .certificate($0) }
                configuration.privateKey = .privateKey(
                    try NIOSSLPrivateKey(file: folder.appending(key).string, format: .pem))
            } else if name.hasSuffix(".key"), !names.contains(String(name.dropLast(4)) + ".cert") {
                throw DistributionError(
                    .tls, "missing client certificate \(name.dropLast(4)).cert for key \(name)")
            }
        }
    }
}

extension FilePath {
    fileprivate var isDirectory: Bool {
        // What cannot be looked at cannot be used either.
        (try? DirectoryListing.names(of: self)) != nil
    }
}
