import COpenSSL

/// HMAC with SHA-256 (RFC 2104): proves that a message comes from somebody who has the key.
package struct MessageAuthentication: Sendable {
    /// What SHA-256 works on at once, in bytes.
    private static let blockSize = 64

    // Both hashes begin with the key, so that part of them is computed once.
    private let inner: ContentHasher
    private let outer: ContentHasher

    /// - Parameter key: Of any length; one that is longer than 64 bytes is hashed first, as the RFC says.
    package init(key: [UInt8]) {
        var block = key
        if block.count > Self.blockSize {
            var hasher = ContentHasher()
            key.withUnsafeBytes { hasher.update($0) }
            block = hasher.hash
        }
        block += [UInt8](repeating: 0, count: Self.blockSize - block.count)
        func start(_ padding: UInt8) -> ContentHasher {
            var hasher = ContentHasher()
            block.map { $0 ^ padding }.withUnsafeBytes { hasher.update($0) }
            return hasher
        }
        inner = start(0x36)
        outer = start(0x5c)
    }

    /// The 32 bytes that belong to a message.
    package func code(for message: [UInt8]) -> [UInt8] {
        var inner = inner
        message.withUnsafeBytes { inner.update($0) }
        var outer = outer
        inner.hash.withUnsafeBytes { outer.update($0) }
        return outer.hash
    }

    /// Whether `code` belongs to the message. Takes the same time wherever the first difference is, so that nobody
    /// finds out a code byte by byte.
    package func isValid(_ code: [UInt8], for message: [UInt8]) -> Bool {
        let expected = self.code(for: message)
        return code.count == expected.count && CRYPTO_memcmp(code, expected, expected.count) == 0
    }
}
