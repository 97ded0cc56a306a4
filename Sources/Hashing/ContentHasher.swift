import COpenSSL
import Glibc
import OCISpec
import SystemPackage

/// A digest in the making, of any algorithm that the image specification registers. The bytes come in pieces of any
/// size.
///
/// A value: a copy goes on by itself, and ``digest`` may be asked for at any time.
package struct ContentHasher: Sendable {
    // One of the two is there. Not cases of an enum: a hash taken out of its case and put back is copied each time.
    private var sha256: SHA256_CTX?
    private var sha512: SHA512_CTX?

    /// A hash of nothing yet.
    package init(_ algorithm: Digest.Algorithm = .sha256) {
        switch algorithm {
        case .sha256: sha256 = SHA256_CTX.empty
        case .sha512: sha512 = SHA512_CTX.empty
        }
    }

    /// Adds bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        sha256?.update(bytes)
        sha512?.update(bytes)
    }

    /// Adds what a file has from the descriptor's position on, `limit` bytes at most. Blocks.
    ///
    /// - Returns: How many bytes were added.
    /// - Throws: What read(2) fails with; what has been read until then is added.
    @discardableResult
    package mutating func update(contentsOf file: FileDescriptor, limit: Int64 = .max) throws(Errno) -> Int64 {
        var total: Int64 = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while total < limit {
            let wanted = Int(min(Int64(buffer.count), limit - total))
            let count = buffer.withUnsafeMutableBytes { bytes in
                let count = read(file.rawValue, bytes.baseAddress, wanted)
                if count > 0 { update(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
                return count
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Errno(rawValue: errno) }
            if count == 0 { break }
            total += Int64(count)
        }
        return total
    }

    /// The hash of all bytes so far, as it is: 32 bytes of SHA-256, 64 of SHA-512.
    package var hash: [UInt8] { sha512?.hash ?? sha256?.hash ?? [] }

    /// The digest of all bytes so far.
    package var digest: Digest { Digest(sha512 == nil ? .sha256 : .sha512, hash: hash) }

    /// The digest of a document.
    package static func digest(of document: [UInt8], _ algorithm: Digest.Algorithm = .sha256) -> Digest {
        var hasher = ContentHasher(algorithm)
        document.withUnsafeBytes { hasher.update($0) }
        return hasher.digest
    }
}

// OpenSSL's functions return 1 and nothing else.
extension SHA256_CTX {
    fileprivate static var empty: SHA256_CTX {
        var state = SHA256_CTX()
        SHA256_Init(&state)
        return state
    }

    fileprivate mutating func update(_ bytes: UnsafeRawBufferPointer) {
        SHA256_Update(&self, bytes.baseAddress, bytes.count)
    }

    fileprivate var hash: [UInt8] {
        var state = self
        return [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { bytes, count in
            SHA256_Final(bytes.baseAddress, &state)
            count = Int(SHA256_DIGEST_LENGTH)
        }
    }
}

extension SHA512_CTX {
    fileprivate static var empty: SHA512_CTX {
        var state = SHA512_CTX()
        SHA512_Init(&state)
        return state
    }

    fileprivate mutating func update(_ bytes: UnsafeRawBufferPointer) {
        SHA512_Update(&self, bytes.baseAddress, bytes.count)
    }

    fileprivate var hash: [UInt8] {
        var state = self
        return [UInt8](unsafeUninitializedCapacity: Int(SHA512_DIGEST_LENGTH)) { bytes, count in
            SHA512_Final(bytes.baseAddress, &state)
            count = Int(SHA512_DIGEST_LENGTH)
        }
    }
}
