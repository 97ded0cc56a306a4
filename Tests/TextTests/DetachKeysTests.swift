import Testing
import Text

@Suite("Detach keys")
struct DetachKeysTests {
    @Test(
        "keys in Docker's notation are the bytes a terminal sends",
        arguments: [
            ("", [16, 17]), ("ctrl-p,ctrl-q", [16, 17]), ("a", [97]), ("ctrl-a,d", [1, 100]), ("ctrl-@", [0]),
            ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [27, 28, 29, 30, 31]), ("ctrl-z", [26]), ("a,B", [97, 66]),
        ] as [(String, [UInt8])])
    func good(_ text: String, _ bytes: [UInt8]) throws {
        #expect(try DetachKeys(parsing: text).bytes == bytes)
    }

    @Test("others are refused", arguments: ["ctrl-", "ctrl-A", "ctrl-1", "ab", ",", "a,", "a,,b", "alt-p", "ctrl-pp"])
    func bad(_ text: String) {
        #expect(throws: DetachKeys.Unknown.self) { try DetachKeys(parsing: text) }
    }

    @Test(
        "detach keys are found however they come, and what may only begin them is not lost",
        arguments: [
            (["ab"], "ab", false), (["\u{10}\u{11}"], "", true), (["a\u{10}", "\u{11}b"], "a", true),
            (["\u{10}", "x"], "\u{10}x", false), (["\u{10}\u{10}", "\u{11}"], "\u{10}", true), (["\u{10}"], "", false),
            (["x\u{11}\u{10}y\u{10}\u{11}"], "x\u{11}\u{10}y", true),
        ] as [([String], String, Bool)])
    func detach(_ input: [String], _ expected: String, _ isDetached: Bool) throws {
        var scanner = try #require(DetachScanner([16, 17]))
        var passed: [UInt8] = []
        var found = false
        for part in input where !found {
            let result = scanner.scan(part.utf8)
            passed += result.passed
            found = result.isComplete
        }
        #expect(String(decoding: passed, as: UTF8.self) == expected)
        #expect(found == isDetached)
    }
}
