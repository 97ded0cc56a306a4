import struct Crypto.SHA256
import struct Crypto.SHA512
import Glibc
import OCISpec
import SystemPackage

/// A digest in the making, of any algorithm that the image specification registers.
package struct ContentHasher: Sendable {
    // One of the two is there. Not cases of an enum: a hash taken out of its case and put back is copied each time.
    private var sha256: SHA256?
    private var sha512: SHA512?

    /// A hash of nothing yet.
    package init(_ algorithm: Digest.Algorithm = .sha256) {
        switch algorithm {
        case .sha256: sha256 = SHA256()
        case .sha512: sha512 = SHA512()
        }
    }

    /// Adds bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        sha256?.update(bufferPointer: bytes)
        sha512?.update(bufferPointer: bytes)
    }

    /// Adds what a file has from the descriptor's position on, `limit` bytes at most; returns how many it were.
    mutating func update(contentsOf descriptor: CInt, limit: Int64) throws(Errno) -> Int64 {
        var total: Int64 = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while total < limit {
            let wanted = Int(min(Int64(buffer.count), limit - total))
            let count = buffer.withUnsafeMutableBytes { bytes in
                let count = read(descriptor, bytes.baseAddress, wanted)
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

    /// The digest of all bytes so far.
    package var digest: Digest {
        if let sha512 { return Digest(.sha512, hash: sha512.finalize()) }
        return Digest(.sha256, hash: (sha256 ?? SHA256()).finalize())
    }

    /// The digest of a document.
    package static func digest(of document: [UInt8], _ algorithm: Digest.Algorithm = .sha256) -> Digest {
        var hasher = ContentHasher(algorithm)
        document.withUnsafeBytes { hasher.update($0) }
        return hasher.digest
    }
}
