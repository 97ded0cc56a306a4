import Testing
import Text

@Suite("Go's notations")
struct GoTextTests {
    @Test("truth values are Go's, and no others", arguments: ["1", "t", "T", "true", "TRUE", "True"])
    func truth(_ text: String) { #expect(GoBoolean.parse(text) == true) }

    @Test("so are their opposites", arguments: ["0", "f", "F", "false", "FALSE", "False"])
    func untruth(_ text: String) { #expect(GoBoolean.parse(text) == false) }

    @Test("what Go does not take is no truth value", arguments: ["", "yes", "tRUE", "on", "2", " true"])
    func neither(_ text: String) { #expect(GoBoolean.parse(text) == nil) }

    @Test(
        "durations have units, several of them, and a sign",
        arguments: [
            ("0", 0), ("300ms", 300_000_000), ("1.5s", 1_500_000_000), ("2h45m", 9_900_000_000_000),
            ("-10s", -10_000_000_000),
            ("1µs", 1000), ("1us1ns", 1001), ("+1m", 60_000_000_000),
        ] as [(String, Int64)])
    func durations(_ text: String, _ nanoseconds: Int64) throws {
        #expect(try GoDuration.nanoseconds(text) == nanoseconds)
    }

    @Test(
        "the reason why a text is no duration is Go's",
        arguments: [
            ("", "time: invalid duration \"\""), ("5", "time: missing unit in duration \"5\""),
            ("3x", "time: unknown unit \"x\" in duration \"3x\""), ("h", "time: invalid duration \"h\""),
            ("300000h10000000h", "time: invalid duration \"300000h10000000h\""),
        ])
    func noDurations(_ text: String, _ reason: String) {
        #expect(throws: GoDuration.Invalid(reason: reason)) { try GoDuration.nanoseconds(text) }
    }

    @Test(
        "durations are printed as Go prints them",
        arguments: [
            (0, "0s"), (1, "1ns"), (1500, "1.5µs"), (300_000_000, "300ms"), (1_000_000_000, "1s"),
            (1_500_000_000, "1.5s"), (90_000_000_000, "1m30s"), (3_600_000_000_000, "1h0m0s"),
            (9_900_001_000_000, "2h45m0.001s"), (-10_000_000_000, "-10s"), (999_999, "999.999µs"),
        ] as [(Int64, String)])
    func printed(_ nanoseconds: Int64, _ text: String) {
        #expect(GoDuration.text(.nanoseconds(nanoseconds)) == text)
    }

    @Test(
        "spans of time are told in Docker's words",
        arguments: [
            (-5, "Less than a second"), (0.5, "Less than a second"), (1, "1 second"), (59, "59 seconds"),
            (60, "About a minute"), (150, "2 minutes"), (3600, "About an hour"), (7200, "2 hours"), (200_000, "2 days"),
            (1_500_000, "2 weeks"), (9_000_000, "3 months"), (90_000_000, "2 years"),
        ] as [(Double, String)])
    func spans(_ seconds: Double, _ text: String) {
        #expect(HumanDuration.words(seconds: seconds) == text)
    }
}
