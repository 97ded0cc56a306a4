import JSON
import OCISpec
import Testing

struct DigestTests {
    private static let hex = String(repeating: "0123456789abcdef", count: 4)

    @Test("a digest is read and written unchanged")
    func roundTrip() throws {
        let digest = try Digest(parsing: "sha256:" + Self.hex)
        #expect(digest.description == "sha256:" + Self.hex)
        #expect(digest.short == "0123456789ab")
        #expect(try JSON.decode([Digest].self, from: JSON.encode([digest])) == [digest])
    }

    @Test(
        "what is not a digest is refused",
        arguments: [
            "", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + hex.dropLast(),
            "sha256:" + hex + "0",
            "sha256:" + hex.uppercased(), "sha512:" + hex, hex, "sha256:../../../../etc/passwd" + hex.dropFirst(28),
        ])
    func refused(text: String) { #expect(throws: DigestError.self) { try Digest(parsing: text) } }

    @Test("a hash becomes hex")
    func fromHash() {
        let digest = Digest(hash: [UInt8](repeating: 0xa5, count: 32))
        #expect(digest.encoded == String(repeating: "a5", count: 32))
    }
}
