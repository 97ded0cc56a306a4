import JSON
import Testing

@Suite("Rules for members")
struct MemberRulesTests {
    struct Inner: Codable, Equatable {
        var a: Int? = 1
        var b: String? = ""
    }

    struct Outer: Codable, Equatable {
        var a: Int? = 2
        var list: [Inner]? = [Inner()]
    }

    private static let rules: MemberRules = {
        var rules = MemberRules()
        guard let inner = MemberKeys(of: Inner()), let outer = MemberKeys(of: Outer()) else { return rules }
        rules.add(.hidden, for: "a", of: inner)
        rules.add(.omittedWhenEmpty, for: "b", of: inner)
        rules.add(.omittedWhenEmpty, for: "a", of: outer)
        return rules
    }()

    @Test("a hidden member is not written, one that is omitted when empty only if it is not")
    func encoding() throws {
        #expect(try JSON.encodeValue(Outer(), rules: Self.rules).text() == #"{"a":2,"list":[{}]}"#)
        let other = Outer(a: 0, list: [Inner(a: 5, b: "x")])
        #expect(try JSON.encodeValue(other, rules: Self.rules).text() == #"{"list":[{"b":"x"}]}"#)
        #expect(try JSON.encodeValue(other).text() == #"{"a":0,"list":[{"a":5,"b":"x"}]}"#)
    }

    @Test("a hidden member is not read")
    func decoding() throws {
        let text = try JSON.parse(#"{"a":3,"list":[{"a":4,"b":"y"}]}"#)
        let read = try JSON.decode(Outer.self, from: text, rules: Self.rules)
        #expect(read == Outer(a: 3, list: [Inner(a: nil, b: "y")]))
    }

    @Test("what is no object has no keys")
    func noObject() { #expect(MemberKeys(of: [1, 2]) == nil && MemberKeys(of: "text") == nil) }
}
