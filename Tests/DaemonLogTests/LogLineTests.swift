import DaemonLog
import OCISpec
import Testing

@Suite("Lines of a daemon's log")
struct LogLineTests {
    private static let hostile = [
        "a\u{1B}[2Jb", "a\u{9B}2Jb", "a\nlevel=error b", "a\rb", "a\u{7F}b", "a\u{202E}b", "a\u{2028}b", "a\0b",
    ]

    @Test("control characters of messages and values are shown, not sent", arguments: hostile)
    func controls(_ text: String) {
        let time = Timestamp(seconds: 0)
        for line in [
            LogLineFormat.text(.info, text, [("key", text)], at: time),
            LogLineFormat.json(.info, text, [("key", text)], at: time),
        ] {
            #expect(line.hasSuffix("\n"))
            let odd = line.dropLast().unicodeScalars.filter { scalar in
                scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || [0x202E, 0x2028].contains(scalar.value)
            }
            #expect(odd.isEmpty, "\(line)")
        }
    }

    @Test("ordinary text of every language stays as it is")
    func letters() {
        let line = LogLineFormat.text(
            .warning, "größer 枡 📦", [("path", "/var/lib/masu"), ("n", "1 2")], at: Timestamp(seconds: 0))
        #expect(line.contains(#"level=warning msg="größer 枡 📦" path=/var/lib/masu n="1 2""#))
    }
}
