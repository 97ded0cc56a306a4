import EngineAPI
import Testing

@Suite("Formats of JSON streams")
struct JSONStreamFormatTests {
    @Test(
        "the client gets what it likes best of what it names, and wildcards name nothing",
        arguments: [
            ([], .lines), (["*/*"], .lines), (["application/*"], .lines), (["application/json"], .lines),
            (["application/x-ndjson"], .newlineDelimited), (["application/json-seq"], .sequence),
            (["application/json-seq;q=0.5, application/x-ndjson; q=0.9"], .newlineDelimited),
            (["application/x-ndjson", "application/jsonl"], .lines),
            (["application/json-seq;q=0"], .lines), (["text/html, application/json-seq"], .sequence),
        ] as [([String], JSONStreamFormat)])
    func negotiation(_ fields: [String], _ expected: JSONStreamFormat) {
        #expect(JSONStreamFormat(accepting: fields, otherwise: .lines) == expected)
    }

    @Test("each document of a sequence begins with a record separator")
    func opening() {
        #expect(JSONStreamFormat.sequence.opening == [0x1E])
        #expect(JSONStreamFormat.lines.opening.isEmpty)
    }
}
