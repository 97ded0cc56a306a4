import Flags
import Testing

@Suite("Texts of flags")
struct FlagValueTests {
    @Test(
        "sizes take binary units in any case",
        arguments: [
            ("0", 0), ("512", 512), ("1k", 1024), ("1K", 1024), ("64kb", 65536), ("1KiB", 1024), ("1.5m", 1_572_864),
            ("2g", 2_147_483_648), ("1 g", 1_073_741_824), ("1t", 1_099_511_627_776), ("3b", 3), (".5k", 512),
        ] as [(String, Int64)])
    func sizes(text: String, bytes: Int64) throws {
        #expect(try FlagValue.bytes(text) == bytes)
    }

    @Test(
        "a bad size is refused in docker's words",
        arguments: [
            ("x", "invalid size: 'x'"), ("1x", "invalid suffix: 'x'"), ("-1", "invalid size: '-1'"),
            ("", "invalid size: ''"),
            ("1kbb", "invalid suffix: 'kbb'"), ("1bb", "invalid suffix: 'bb'"),
            ("1..5", "strconv.ParseFloat: parsing \"1..5\": invalid syntax"),
        ])
    func badSizes(text: String, reason: String) {
        #expect(throws: InvalidFlagValue(reason)) { try FlagValue.bytes(text) }
    }

    @Test(
        "integers may say their base",
        arguments: [
            ("0", 0), ("-7", -7), ("+7", 7), ("0x1f", 31), ("0b101", 5), ("0o17", 15), ("017", 15),
            ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
        ] as [(String, Int64)])
    func integers(text: String, value: Int64) throws {
        #expect(try FlagValue.integer(text) == value)
    }

    @Test(
        "a bad integer is refused in Go's words",
        arguments: [
            ("", "invalid syntax"), ("x", "invalid syntax"), ("1.5", "invalid syntax"), ("--1", "invalid syntax"),
            ("9223372036854775808", "value out of range"), ("99999999999999999999", "value out of range"),
        ])
    func badIntegers(text: String, what: String) {
        #expect(throws: InvalidFlagValue("strconv.ParseInt: parsing \"\(text)\": \(what)")) {
            try FlagValue.integer(text)
        }
    }

    @Test("an unsigned integer keeps to its width")
    func unsigned() throws {
        #expect(try FlagValue.unsigned("65535", bits: 16) == 65535)
        #expect(throws: InvalidFlagValue("strconv.ParseUint: parsing \"99999\": value out of range")) {
            try FlagValue.unsigned("99999", bits: 16)
        }
        #expect(throws: InvalidFlagValue("strconv.ParseUint: parsing \"-1\": invalid syntax")) {
            try FlagValue.unsigned("-1")
        }
    }

    @Test(
        "durations add up their parts",
        arguments: [
            ("0", 0), ("10s", 10_000_000_000), ("1h30m", 5_400_000_000_000), ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("-2s", -2_000_000_000), ("3us", 3000), ("3µs", 3000), ("7ns", 7),
        ] as [(String, Int64)])
    func durations(text: String, nanoseconds: Int64) throws {
        #expect(try FlagValue.duration(text) == nanoseconds)
    }

    @Test(
        "a bad duration is refused in Go's words",
        arguments: [
            ("3", "time: missing unit in duration \"3\""), ("", "time: invalid duration \"\""),
            ("1y", "time: unknown unit \"y\" in duration \"1y\""), ("s", "time: invalid duration \"s\""),
        ])
    func badDurations(text: String, reason: String) {
        #expect(throws: InvalidFlagValue(reason)) { try FlagValue.duration(text) }
    }
}
