import Glibc
import Hashing
import OCISpec
import SystemPackage
import Testing

@Suite("hashing")
struct HashingTests {
    // Known answers of FIPS 180-4.
    private static let known: [(text: String, algorithm: Digest.Algorithm, hash: String)] = [
        ("", .sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", .sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abc", .sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
    ]

    @Test("documents have the digests that the standard says", arguments: known)
    func knownAnswers(_ answer: (text: String, algorithm: Digest.Algorithm, hash: String)) {
        let digest = ContentHasher.digest(of: Array(answer.text.utf8), answer.algorithm)
        #expect(digest.description == "\(answer.algorithm.rawValue):\(answer.hash)")
    }

    @Test("pieces of any size make the same digest as the whole", arguments: Digest.Algorithm.allCases)
    func pieces(_ algorithm: Digest.Algorithm) {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let whole = ContentHasher.digest(of: bytes, algorithm)
        for size in [1, 63, 64, 65, 128, 999] {
            var hasher = ContentHasher(algorithm)
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { hasher.update($0) }
            }
            #expect(hasher.digest == whole, "pieces of \(size)")
        }
    }

    @Test("a copy goes on by itself, and asking for a digest changes nothing")
    func copies() {
        var hasher = ContentHasher()
        Array("a".utf8).withUnsafeBytes { hasher.update($0) }
        let before = hasher.digest
        var copy = hasher
        Array("bc".utf8).withUnsafeBytes { copy.update($0) }
        #expect(hasher.digest == before)
        #expect(copy.digest == ContentHasher.digest(of: Array("abc".utf8)))
    }

    @Test("a file is hashed from where its descriptor stands, up to a limit")
    func files() throws {
        var template = Array("/tmp/masu-hashing-test-XXXXXX".utf8CString)
        let file = FileDescriptor(rawValue: mkstemp(&template))
        unlink(template)
        try file.closeAfter {
            try file.writeAll("0123456789".utf8)
            try file.seek(offset: 2, from: .start)
            var hasher = ContentHasher()
            #expect(try hasher.update(contentsOf: file, limit: 3) == 3)
            #expect(hasher.digest == ContentHasher.digest(of: Array("234".utf8)))
            #expect(try hasher.update(contentsOf: file) == 5)
            #expect(hasher.digest == ContentHasher.digest(of: Array("23456789".utf8)))
        }
    }

    // RFC 4231: cases 1, 2 and 6 (a key longer than a block).
    private static let codes: [(key: [UInt8], message: String, code: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]

    @Test("messages have the codes that RFC 4231 says, and no other is valid", arguments: codes)
    func authentication(_ known: (key: [UInt8], message: String, code: String)) {
        let authentication = MessageAuthentication(key: known.key)
        let message = Array(known.message.utf8)
        var code = authentication.code(for: message)
        #expect(Digest(hash: code).encoded == known.code)
        #expect(authentication.isValid(code, for: message))
        #expect(!authentication.isValid(Array(code.dropLast()), for: message))
        #expect(!authentication.isValid([], for: message))
        code[31] ^= 1
        #expect(!authentication.isValid(code, for: message))
    }
}
