import Hashing
import ContentStore
import Distribution
import OCISpec

extension ImagesError {
    /// The words that Docker has for what registries say.
    static func explained(_ error: any Error, _ reference: ImageReference) -> any Error {
        if Task.isCancelled { return CancellationError() }
        guard let error = error as? DistributionError else { return ImagesError(translating: error) }
        switch error.reason {
        case .denied, .unauthorized: return accessDenied(error, reference)
        case .notFound where error.message.hasPrefix("name unknown"): return accessDenied(error, reference)
        case .notFound where error.message.hasPrefix("blob unknown"):
            return ImagesError(
                .notFound,
                "\(reference.withDefaultTag.familiar): a part of the image is missing in the registry: \(error.message)"
            )
        case .notFound where error.message.hasPrefix("manifest unknown") || error.status == 404:
            return ImagesError(
                .notFound, "manifest for \(reference.withDefaultTag.familiar) not found: \(error.message)")
        default: return ImagesError(translating: error)
        }
    }

    /// Registries do not tell what is not there from what is not for everybody.
    private static func accessDenied(_ error: DistributionError, _ reference: ImageReference) -> ImagesError {
        ImagesError(
            .notFound,
            "pull access denied for \(reference.familiarName), repository does not exist or may require "
                + "'docker login': \(error.message)")
    }
}

extension Repository {
    /// A small blob, whole and verified.
    func document(_ blob: Descriptor) async throws -> [UInt8] {
        let limit = Self.manifestLimit
        guard blob.size <= limit else {
            throw ImagesError(.invalid, "configuration \(blob.digest) is larger than \(limit) bytes")
        }
        let collected = CollectedBytes()
        try await fetch(blob) { await collected.append($0) }
        let bytes = await collected.bytes
        let found = ContentHasher.digest(of: bytes, blob.digest.algorithm)
        guard found == blob.digest else {
            throw ImagesError(
                .invalid, "image config verification failed for digest \(blob.digest): the registry sent \(found)")
        }
        return bytes
    }
}

private actor CollectedBytes {
    private(set) var bytes: [UInt8] = []

    func append(_ piece: TransferPiece) { piece.withUnsafeBytes { bytes += $0 } }
}
