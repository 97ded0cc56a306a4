import Hashing
import Distribution
import Logging
import OCISpec
import SystemPackage

/// Another registry, of which this one keeps whatever is pulled through it.
///
/// What is named by a digest is asked for once. What a tag means is asked each time; while the other registry cannot be
/// reached, it is what it meant the last time.
package actor PullThrough {
    /// A blob for a client.
    enum Blob: Sendable {
        case stored(FileDescriptor, size: Int64)
        /// Still on its way; the descriptor is on what has come so far.
        case arriving(BlobTransfer, FileDescriptor)
    }

    private let store: RegistryStore
    private let registries: Registries
    private let domain: String
    private let credentials: RegistryCredentials
    private let logger: Logger
    private var transfers: [Digest: BlobTransfer] = [:]

    /// - Parameters:
    ///   - domain: the other registry: `docker.io`, `host:port`.
    ///   - credentials: those for the other registry, for all clients of this one.
    package init(
        of store: RegistryStore, domain: String, credentials: RegistryCredentials, registries: Registries,
        logger: Logger
    ) {
        self.store = store
        self.domain = domain
        self.credentials = credentials
        self.registries = registries
        self.logger = logger
    }

    private nonisolated func upstream<T: Sendable>(
        _ name: RepositoryName, _ body: @Sendable (Repository) async throws -> T
    ) async throws -> T {
        let reference: ImageReference
        do {
            reference = try ImageReference(parsing: "\(domain)/\(name)")
        } catch {
            throw RegistryError(.invalid, .nameInvalid, "\(domain) can have no repository \(name): \(error)")
        }
        return try await registries.with(reference, .pull, credentials: credentials, body)
    }

    // MARK: Manifests

    nonisolated func manifest(
        _ reference: ManifestReference, in name: RepositoryName
    ) async throws -> StoredManifest {
        let known: StoredManifest?
        do {
            known = try await store.manifest(reference, in: name)
        } catch let error as RegistryError where error.code == .manifestUnknown {
            known = nil
        }
        if let known, case .digest = reference { return known }
        do {
            return try await fetch(reference, known, in: name)
        } catch let error as DistributionError {
            if error.reason == .notFound { throw RegistryError.manifestUnknown(reference) }
            guard let known, error.isUnavailability else { throw Self.translated(error) }
            logger.warning(
                "the other registry does not answer; serving the last known content",
                metadata: ["repository": "\(name)", "reference": "\(reference)", "error": "\(error)"])
            return known
        }
    }

    private nonisolated func fetch(
        _ reference: ManifestReference, _ known: StoredManifest?, in name: RepositoryName
    ) async throws -> StoredManifest {
        let remote = try await upstream(name) { repository -> RemoteManifest? in
            let selector: ManifestSelector
            switch reference {
            case .digest(let digest): selector = .digest(digest)
            case .tag(let tag):
                // Asking for the digest alone costs nothing where requests are counted.
                let digest = try await repository.manifestDigest(.tag(tag))
                if let known, digest == known.digest { return nil }
                selector = .tag(tag)
            }
            return try await repository.manifest(selector) { ContentHasher.digest(of: $0, $1) }
        }
        guard let remote else {
            guard let known else { throw RegistryError.manifestUnknown(reference) }
            return known
        }
        let document = try ManifestDocument(remote.bytes, contentType: remote.mediaType)
        var tags: [String] = []
        if case .tag(let tag) = reference { tags.append(tag) }
        let digest = try await store.put(
            document, body: remote.bytes, as: .digest(remote.digest), tags: tags, in: name, isWhole: false)
        return try await store.manifest(.digest(digest), in: name)
    }

    // MARK: Lists

    /// All tags of the other registry, or what is known of them.
    nonisolated func tags(of name: RepositoryName) async throws -> [String] {
        do {
            return try await upstream(name) { try await $0.tags() }
        } catch let error as DistributionError {
            if error.reason == .notFound { throw RegistryError.nameUnknown(name) }
            guard error.isUnavailability else { throw Self.translated(error) }
            return try await store.tags(of: name, after: nil, limit: nil).names
        }
    }

    /// All referrers that the other registry has, or what is known of them.
    nonisolated func referrers(of digest: Digest, in name: RepositoryName) async throws -> [Descriptor] {
        do {
            return try await upstream(name) { try await $0.referrers(of: digest).manifests }
        } catch let error as DistributionError {
            if error.reason == .notFound { return [] }
            guard error.isUnavailability else { throw Self.translated(error) }
            return try await store.referrers(of: digest, type: nil, after: "", limit: 1000, in: name).descriptors
        }
    }

    // MARK: Blobs

    /// A blob. If it is not here, this starts to fetch it, once for all clients. The download goes on if the clients go
    /// away, and continues where it was if the registry is killed.
    func blob(_ digest: Digest, in name: RepositoryName) async throws -> Blob {
        while true {
            do {
                let (file, size) = try await store.open(digest, in: name)
                return .stored(file, size: size)
            } catch let error as RegistryError where error.code == .blobUnknown {}
            if let transfer = transfers[digest] {
                // It may have ended just now.
                if let file = try? await transfer.open() { return .arriving(transfer, file) }
                continue
            }
            let size: Int64?
            do {
                size = try await upstream(name) { try await $0.size(ofBlob: digest) }
            } catch let error as DistributionError {
                throw Self.translated(error)
            }
            guard let size else { throw RegistryError.blobUnknown(digest) }
            // Another repository may have brought the bytes; that this one has it, too, we just heard.
            if try await store.mount(digest, from: nil, into: name) { continue }
            if transfers[digest] == nil { try await begin(digest, size: size, in: name) }
        }
    }

    /// The size of a blob, also of one that is not here.
    nonisolated func size(of digest: Digest, in name: RepositoryName) async throws -> Int64 {
        do {
            return try await store.size(of: digest, in: name)
        } catch let error as RegistryError where error.code == .blobUnknown {
            do {
                guard let size = try await upstream(name, { try await $0.size(ofBlob: digest) }) else { throw error }
                return size
            } catch let error as DistributionError {
                throw Self.translated(error)
            }
        }
    }

    private func begin(_ digest: Digest, size: Int64, in name: RepositoryName) async throws {
        let store = store
        let ingest = try await store.pool.run {
            try store.content.ingest(resuming: "proxy-\(digest.encoded)", digest.algorithm, limit: size)
        }
        // Somebody else may have begun while this one waited.
        guard transfers[digest] == nil else { return }
        let transfer = BlobTransfer(ingest, size: size, pool: store.pool)
        transfers[digest] = transfer
        Task {
            do {
                let blob = Descriptor(mediaType: "application/octet-stream", digest: digest, size: size)
                try await upstream(name) { repository in
                    // Also after a try at another address there is something already.
                    try await repository.fetch(blob, from: ingest.size) { try await transfer.take($0) }
                }
                try await store.adopt(ingest, as: digest, in: name)
                await transfer.end(.success(()))
            } catch {
                // What is of the wrong content will not become right; the rest goes on from here the next time.
                if !((error as? DistributionError)?.isUnavailability ?? false) { ingest.discard() }
                logger.error(
                    "cannot fetch a blob from the other registry",
                    metadata: ["repository": "\(name)", "digest": "\(digest)", "error": "\(error)"])
                await transfer.end(.failure(error))
            }
            transfers[digest] = nil
        }
    }

    private static func translated(_ error: DistributionError) -> RegistryError {
        switch error.status {
        case 429:
            RegistryError(
                .exhausted, .tooManyRequests, "the other registry limits requests: \(error)",
                status: .tooManyRequests)
        default: RegistryError(.unavailable, .unknown, "the other registry: \(error)", status: .badGateway)
        }
    }
}

extension DistributionError {
    /// Whether the registry is at fault, and not what was asked for.
    var isUnavailability: Bool {
        switch reason {
        case .unreachable, .tls, .refused: true
        case .unauthorized, .denied, .notFound, .wrongContent: false
        }
    }
}
