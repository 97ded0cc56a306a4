import Testing
import Text

@Suite("text")
struct TextTests {
    @Test(
        "a part is found at the beginning, in the middle and at the end, and nowhere else",
        arguments: [
            ("abc", "a", true), ("abc", "bc", true), ("abc", "abc", true), ("abc", "abcd", false), ("aab", "ab", true),
            ("", "a", false), ("abc", "", true), ("no such image", "such", true), ("größe", "öß", true),
        ])
    func holding(text: String, part: String, isThere: Bool) {
        #expect(text.holds(part) == isThere)
        #expect("<\(text)>".dropFirst().dropLast().holds(part) == isThere)
    }

    @Test(
        "text is parted at every separator, and empty pieces are kept",
        arguments: [
            ("a::b", "::", ["a", "b"]), ("::", "::", ["", ""]), ("", "::", [""]), ("a:b", "::", ["a:b"]),
            (":::", "::", ["", ":"]), ("a, b, c", ", ", ["a", "b", "c"]), ("abc", "", ["abc"]),
            ("öxä", "x", ["ö", "ä"]),
        ])
    func parting(text: String, separator: String, pieces: [String]) {
        #expect(text.pieces(separatedBy: separator) == pieces)
    }
}
