import Engine
import Testing

struct GoRegularExpressionTests {
    @Test(
        "an expression is found anywhere in a name",
        arguments: [
            ("web", "my-web-1", true), ("^web", "my-web", false), ("^web$", "web", true), ("^/web$", "web", false),
            ("w.b", "wxb", true), ("we?b+", "wbbb", true), ("(a|bc)*d$", "abcad", true),
            ("^(?:ab){2,3}$", "ababab", true),
            ("^(ab){2,3}$", "abababab", false), ("[a-c_]+[^0-9]$", "x_b", true), ("\\d{2}", "a12", true),
            ("\\D\\w\\s", "ab ", true), ("^$", "", true), ("", "anything", true), ("(?i)WEB", "my-Web", true),
            ("a{,2}", "a{,2}", true), ("x*?y", "xxy", true), ("[]a]", "]", true), ("[\\d.]", "a.", true),
            ("\\bweb\\b", "my-web-1", true), ("\\bweb\\b", "webs", false), ("\\.", "a.b", true),
            ("[^\\W_]$", "_", false),
        ] as [(String, String, Bool)])
    func matching(_ expression: String, _ text: String, _ matches: Bool) throws {
        #expect(try GoRegularExpression(expression).matches(text) == matches)
    }

    @Test(
        "what is none is refused",
        arguments: [
            "(", ")", "[a", "*a", "a**", "\\", "\\q", "[z-a]", "a{1001}", "(a{1000}){1000}", "(?=a)", "a{2,1}",
            String(repeating: "(", count: 200),
        ])
    func refusal(_ expression: String) {
        #expect(throws: EngineError.self) { try GoRegularExpression(expression) }
    }

    @Test(
        "time does not explode with what is repeated",
        arguments: ["(a+)+$", "^(a|aa)*$", "^(a*)*$", "(a?){500}a{500}$"])
    func linearTime(_ expression: String) throws {
        // With backtracking the first of these would take longer than the universe has been there.
        #expect(try !GoRegularExpression(expression).matches(String(repeating: "a", count: 200) + "b"))
    }
}
