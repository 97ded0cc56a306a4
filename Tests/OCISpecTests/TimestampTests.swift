import OCISpec
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "RFC 3339 is read and written",
        arguments: [
            ("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"),
            ("2026-11-21T07:46:46.123456789Z", 1_795_247_206, 123_456_789, "2026-11-21T07:46:46.123456789Z"),
            ("2024-02-29T23:59:59.5+02:00", 1_709_243_999, 500_000_000, "2024-02-29T21:59:59.5Z"),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0, "0001-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.25Z", -1, 250_000_000, "1969-12-31T23:59:59.25Z"),
        ] as [(String, Int64, Int32, String)])
    func readAndWrite(text: String, seconds: Int64, nanoseconds: Int32, written: String) throws {
        let timestamp = try #require(Timestamp(text))
        #expect(timestamp == Timestamp(seconds: seconds, nanoseconds: nanoseconds))
        #expect(timestamp.description == written)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "2026-11-21", "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T07:46:46",
            "2026-11-21T07:46:46.Z", "x", "2026-11-21T07:46:46Zz",
        ])
    func refuse(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("the fixed form always has nine digits")
    func fixed() {
        #expect(Timestamp(seconds: 0, nanoseconds: 5_000_000).fixedWidthDescription == "1970-01-01T00:00:00.005000000Z")
    }
}
