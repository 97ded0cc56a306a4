import Testing
import Text

@Suite("percent-encoding")
struct PercentEncodingTests {
    @Test("two digits after a percent sign stand for a byte, whatever their case")
    func decoding() {
        #expect(PercentEncoding.decode("/a%2Fb%2fc") == "/a/b/c")
        #expect(PercentEncoding.decode("gr%C3%B6%c3%9fe") == "größe")
        #expect(PercentEncoding.bytes("%00%ff") == [0, 0xFF])
    }

    @Test("a plus is a space in a query only")
    func plus() {
        #expect(PercentEncoding.decode("a+b%2B") == "a+b+")
        #expect(PercentEncoding.decode("a+b%2B", plusIsSpace: true) == "a b+")
    }

    @Test("what is no encoding, or no text, is refused", arguments: ["%", "%4", "%zz", "a%+1", "%-1", "%ff"])
    func refused(text: String) {
        #expect(PercentEncoding.decode(text) == nil)
    }

    @Test("all but unreserved characters is encoded, and comes back")
    func encoding() {
        #expect(PercentEncoding.encode("aZ09-._~") == "aZ09-._~")
        #expect(PercentEncoding.encode("a b/ö+%") == "a%20b%2F%C3%B6%2B%25")
        #expect(PercentEncoding.decode(PercentEncoding.encode("a b/ö+%\n")) == "a b/ö+%\n")
    }
}
