import ShimProtocol
import Testing

@Suite("Detach keys")
struct DetachKeysTests {
    @Test(
        "keys in Docker's notation are the bytes a terminal sends",
        arguments: [
            ("", [16, 17]), ("ctrl-p,ctrl-q", [16, 17]), ("a", [97]), ("ctrl-a,d", [1, 100]), ("ctrl-@", [0]),
            ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [27, 28, 29, 30, 31]), ("ctrl-z", [26]),
        ] as [(String, [UInt8])])
    func good(_ text: String, _ bytes: [UInt8]) throws {
        #expect(try DetachKeys.parse(text) == bytes)
    }

    @Test("others are refused", arguments: ["ctrl-", "ctrl-A", "ctrl-1", "ab", ",", "a,", "alt-p", "ctrl-pp"])
    func bad(_ text: String) {
        #expect(throws: ShimError.self) { try DetachKeys.parse(text) }
    }
}
