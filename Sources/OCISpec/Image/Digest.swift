/// A content digest as the OCI image specification writes it: `algorithm ":" encoded`, in lower-case hex.
///
/// A value of this type is always well formed, so it may be used as a file name without another look.
/// Specification: image-spec, descriptor.md, "Digests".
package struct Digest: Hashable, Sendable {
    /// The registered algorithms.
    package enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case sha256
        case sha512

        /// The number of hex characters of the encoded part.
        package var encodedLength: Int {
            switch self {
            case .sha256: 64
            case .sha512: 128
            }
        }
    }

    /// The hash function.
    package let algorithm: Algorithm
    /// The hash in lower-case hex, without the algorithm.
    package let encoded: String

    /// Reads `sha256:…` or `sha512:…`.
    package init(parsing text: some StringProtocol) throws(DigestError) {
        guard let colon = text.firstIndex(of: ":") else { throw DigestError(text: String(text), reason: .format) }
        guard let algorithm = Algorithm(rawValue: String(text[..<colon])) else {
            throw DigestError(text: String(text), reason: .unsupportedAlgorithm)
        }
        let encoded = String(text[text.index(after: colon)...])
        guard encoded.utf8.count == algorithm.encodedLength else {
            throw DigestError(text: String(text), reason: .length)
        }
        guard encoded.utf8.allSatisfy(Hex.isLowerCase) else { throw DigestError(text: String(text), reason: .format) }
        self.algorithm = algorithm
        self.encoded = encoded
    }

    /// The digest whose hash is the given bytes; `bytes` must have the length the algorithm makes.
    package init(_ algorithm: Algorithm = .sha256, hash bytes: some Sequence<UInt8>) {
        let encoded = Hex.encode(bytes)
        precondition(encoded.utf8.count == algorithm.encodedLength, "a hash of the wrong length for \(algorithm)")
        self.algorithm = algorithm
        self.encoded = encoded
    }

    /// The first twelve characters of the hash, as lists of images and containers show them.
    package var short: String { String(encoded.prefix(12)) }
}

extension Digest: CustomStringConvertible, LosslessStringConvertible {
    package var description: String { "\(algorithm.rawValue):\(encoded)" }

    /// Reads `sha256:…`; `nil` for a text that is not a digest.
    package init?(_ description: String) {
        guard let digest = try? Digest(parsing: description) else { return nil }  // the protocol asks for nil, not why
        self = digest
    }
}

extension Digest: Comparable {
    package static func < (left: Digest, right: Digest) -> Bool { left.description < right.description }
}

extension Digest: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do {
            try self.init(parsing: text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Why a text is not a digest.
package struct DigestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with the text.
    package enum Reason: Hashable, Sendable {
        case format
        case unsupportedAlgorithm
        case length
    }

    /// The text.
    package let text: String
    /// What is wrong with it.
    package let reason: Reason

    package var description: String {
        switch reason {
        case .format: "invalid digest \"\(text)\": not of the form algorithm:hex"
        case .unsupportedAlgorithm: "invalid digest \"\(text)\": unsupported digest algorithm"
        case .length: "invalid digest \"\(text)\": wrong length for its algorithm"
        }
    }
}

/// Hexadecimal text and bytes.
package enum Hex {
    /// Whether the byte is one of `0`–`9`, `a`–`f`.
    package static func isLowerCase(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// The bytes as lower-case hex, two characters each.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var characters: [UInt8] = []
        characters.reserveCapacity(bytes.underestimatedCount * 2)
        for byte in bytes {
            characters.append(digit(byte >> 4))
            characters.append(digit(byte & 0xf))
        }
        return String(decoding: characters, as: UTF8.self)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
