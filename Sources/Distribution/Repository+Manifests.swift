import JSON
import NIOHTTP1
import OCISpec

/// A manifest or an index, as the registry has it.
package struct RemoteManifest: Sendable {
    /// The type that the registry says.
    package let mediaType: String
    /// Computed by the caller's side, unless it is of a request that brought no bytes.
    package let digest: Digest
    /// The document as the registry sent it.
    package let bytes: [UInt8]

    /// A manifest with its parts.
    package init(mediaType: String, digest: Digest, bytes: [UInt8]) {
        self.mediaType = mediaType
        self.digest = digest
        self.bytes = bytes
    }
}

/// A tag or a digest.
package enum ManifestSelector: Hashable, Sendable, CustomStringConvertible {
    case tag(String)
    case digest(Digest)

    package var description: String {
        switch self {
        case .tag(let tag): tag
        case .digest(let digest): digest.description
        }
    }
}

extension Repository {
    /// Manifests are small documents; the specification's own limit for what a registry must take is 4 MiB.
    package static let manifestLimit = 8 << 20

    /// Pages of a list of tags. Registries put a hundred tags or more on one.
    private static let pageLimit = 10_000

    private static let accepted = [
        MediaType.ociIndex, MediaType.dockerManifestList, MediaType.ociManifest, MediaType.dockerManifest,
        "application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json", "*/*",
    ].joined(separator: ", ")

    /// A manifest's bytes and type, unread. `digest` computes the digest of bytes.
    ///
    /// - Throws: `DistributionError`: `notFound`; `wrongContent` where the bytes have another digest than asked for or
    ///   announced.
    package func manifest(
        _ selector: ManifestSelector, digest: @Sendable ([UInt8], Digest.Algorithm) -> Digest
    ) async throws -> RemoteManifest {
        let address = address("manifests/\(selector)")
        let answer = try await send(
            HTTPClientRequest(method: .GET, address: address, headers: ["Accept": Self.accepted]))
        let bytes = try await answer.collect(limit: Self.manifestLimit)
        let announced = answer.headers.first(name: "Docker-Content-Digest").flatMap { Digest($0) }
        let wanted: Digest? = if case .digest(let digest) = selector { digest } else { announced }
        let found = digest(bytes, wanted?.algorithm ?? .sha256)
        if let wanted, wanted != found {
            throw DistributionError(
                .wrongContent, "manifest verification failed for digest \(wanted): the bytes have \(found)")
        }
        return RemoteManifest(mediaType: Self.type(of: bytes, answer.headers), digest: found, bytes: bytes)
    }

    /// What the document says it is, else what the header says.
    private static func type(of bytes: [UInt8], _ headers: HTTPHeaders) -> String {
        let header = headers.first(name: "Content-Type").map { String($0.prefix { $0 != ";" }) } ?? ""
        // The caller decodes it, and finds out if it is not JSON.
        guard let document = try? JSON.parse(bytes) else { return header }
        if let type = document["mediaType"]?.string, !type.isEmpty { return type }
        if document["schemaVersion"]?.int == 1 { return "application/vnd.docker.distribution.manifest.v1+json" }
        if MediaType.isIndex(header) || MediaType.isManifest(header) { return header }
        return document["manifests"] != nil ? MediaType.ociIndex : MediaType.ociManifest
    }

    /// The digest of a manifest that is there, or `nil`.
    package func manifestDigest(_ selector: ManifestSelector) async throws -> Digest? {
        let answer = try await send(
            HTTPClientRequest(
                method: .HEAD, address: address("manifests/\(selector)"), headers: ["Accept": Self.accepted]),
            accepting: [404])
        await answer.drop()
        return answer.status == 404 ? nil : answer.headers.first(name: "Docker-Content-Digest").flatMap { Digest($0) }
    }

    /// Stores a manifest under a tag or its digest.
    package func put(_ manifest: RemoteManifest, as selector: ManifestSelector) async throws {
        let answer = try await send(
            HTTPClientRequest(
                method: .PUT, address: address("manifests/\(selector)"),
                headers: ["Content-Type": manifest.mediaType], body: .bytes(manifest.bytes)))
        await answer.drop()
    }

    /// All tags, as the registry orders them.
    ///
    /// - Throws: `DistributionError`: `wrongContent` where the pages of the list lead back to one that was read, or are
    ///   too many.
    package func tags() async throws -> [String] {
        var tags: [String] = []
        var next: WebAddress? = address("tags/list")
        var pages: Set<WebAddress> = []
        while let address = next {
            guard pages.insert(address).inserted, pages.count <= Self.pageLimit else {
                throw DistributionError(
                    .wrongContent,
                    "the registry's list of the tags of \(path) has no end: after \(pages.count) pages it goes on with "
                        + "\(address)"
                )
            }
            let answer = try await send(HTTPClientRequest(method: .GET, address: address))
            let document = try Self.parse(try await answer.collect(limit: Self.manifestLimit), address)
            tags += document["tags"]?.array?.compactMap(\.string) ?? []
            next = answer.headers.first(name: "Link").flatMap { Self.next(in: $0, from: address) }
        }
        return tags
    }

    /// What refers to a manifest by its `subject` (distribution-spec, "Listing Referrers"), also at registries which
    /// keep that under a tag.
    package func referrers(of digest: Digest) async throws -> ImageIndex {
        let address = address("referrers/\(digest)")
        var answer = try await send(HTTPClientRequest(method: .GET, address: address), accepting: [404])
        if answer.status == 404 {
            await answer.drop()
            let tag = "\(digest.algorithm.rawValue)-\(digest.encoded)"
            answer = try await send(
                HTTPClientRequest(
                    method: .GET, address: self.address("manifests/\(tag)"), headers: ["Accept": MediaType.ociIndex]),
                accepting: [404])
            if answer.status == 404 {
                await answer.drop()
                return ImageIndex(manifests: [])
            }
        }
        do {
            return try JSON.decode(ImageIndex.self, from: try await answer.collect(limit: Self.manifestLimit))
        } catch let error as JSONError {
            throw DistributionError(.wrongContent, "\(address): \(error)")
        }
    }

    private static func parse(_ bytes: [UInt8], _ address: WebAddress) throws(DistributionError) -> JSONValue {
        do throws(JSONError) {
            return try JSON.parse(bytes)
        } catch {
            throw DistributionError(.wrongContent, "\(address): \(error)")
        }
    }

    /// The address of `Link: <…>; rel="next"` (RFC 8288).
    private static func next(in link: String, from address: WebAddress) -> WebAddress? {
        guard let start = link.firstIndex(of: "<"), let end = link.firstIndex(of: ">"), start < end,
            link[end...].contains("next")
        else { return nil }
        return address.resolving(String(link[link.index(after: start)..<end]))
    }
}
