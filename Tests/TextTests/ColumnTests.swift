import Testing
import Text

@Suite("Text for terminals")
struct ColumnTests {
    @Test("cells stand below each other, and nothing stands behind the last one")
    func columns() {
        let rows = [["NAME", "STATUS"], ["web", "Up 2 hours"], ["a-long-name", ""], ["größe"]]
        #expect(
            Columns.aligned(rows, gap: 3) == [
                "NAME          STATUS", "web           Up 2 hours", "a-long-name   ", "größe",
            ])
        #expect(Columns.aligned(rows, minimum: 16, gap: 3)[1] == "web             Up 2 hours")
        #expect(Columns.aligned([[String]](), gap: 3).isEmpty)
    }

    @Test("a text as long as its column stays as it is")
    func padding() {
        #expect("ab".padded(to: 4) == "ab  ")
        #expect("abcd".padded(to: 4) == "abcd")
        #expect("abcde".padded(to: 4) == "abcde")
    }

    @Test(
        "control characters are written out in JSON's notation, all else stays",
        arguments: [
            ("plain, größe, 枡", "plain, größe, 枡"), ("\u{1B}[2J", "\\u001b[2J"), ("a\rb", "a\\u000db"),
            ("\u{9B}31m", "\\u009b31m"), ("\u{7F}", "\\u007f"), ("a\nb\tc", "a\nb\tc"), ("a\r\nb", "a\\u000d\nb"),
            ("\u{202E}txt.exe", "\\u202etxt.exe"), ("\0", "\\u0000"), ("", ""),
        ])
    func controls(_ text: String, _ shown: String) {
        #expect(text.showingControls() == shown)
    }

    @Test("line feeds and tabs are written out where a text has to stay within its line")
    func lines() {
        #expect("a\nb\tc".showingControls(keepsLines: false) == "a\\u000ab\\u0009c")
    }
}
