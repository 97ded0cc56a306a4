import OCISpec
import SystemPackage

/// Why a blob could not be read or written.
package enum ContentError: Error, Hashable, Sendable, CustomStringConvertible {
    case notFound(Digest)
    /// The bytes are not those that were announced.
    case mismatch(expected: Digest, found: Digest)
    /// A document that is read whole is longer than any real one.
    case tooLarge(Digest, limit: Int)
    /// A system call failed: what was done, to which path.
    case system(String, FilePath, Errno)

    package var description: String {
        switch self {
        case .notFound(let digest): "blob \(digest) not found"
        case .mismatch(let expected, let found): "the digest of the data is \(found), not \(expected)"
        case .tooLarge(let digest, let limit): "blob \(digest) is larger than \(limit) bytes"
        case .system(let operation, let path, let errno): "\(operation) \(path): \(errno)"
        }
    }
}
