import EngineAPI
import Testing

@Suite("API versions")
struct APIVersionTests {
    @Test(
        "versions compare number by number",
        arguments: [("1.9", "1.24"), ("1.24", "1.51"), ("1.51", "2"), ("1", "1.0.1")])
    func order(_ pair: (String, String)) throws {
        let first = try #require(APIVersion(pair.0))
        let second = try #require(APIVersion(pair.1))
        #expect(first < second)
        #expect(!(second < first))
    }

    @Test("a missing number is zero")
    func padding() { #expect(APIVersion("1") == APIVersion("1.0.0")) }

    @Test("what is not a version is refused", arguments: ["", "1.", "a", "1.x", "-1.2", ".5", "1..2"])
    func refused(_ text: String) { #expect(APIVersion(text) == nil) }
}
