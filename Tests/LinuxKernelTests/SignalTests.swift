import LinuxKernel
import Testing

@Suite("signals")
struct SignalTests {
    @Test(
        "signals have names, with and without SIG and in any case, and numbers",
        arguments: [
            ("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), ("9", 9), ("64", 64), ("POLL", 29), ("CLD", 17), ("IOT", 6),
            ("STKFLT", 16), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+15", 49), ("RTMAX-14", 50), ("RTMAX-1", 63),
            ("SIGRTMAX", 64),
        ] as [(String, Int32)])
    func names(_ text: String, _ number: Int32) {
        #expect(Signal(text)?.rawValue == number)
    }

    @Test(
        "others are no signals",
        arguments: [
            "", "0", "65", "NOPE", "SIG", "SIGSIGTERM", "RTMIN+0", "RTMIN+16", "RTMIN+31", "RTMIN++1", "RTMIN+-1",
            "RTMAX-0", "RTMAX-15", "-9", "TERM ",
        ])
    func unknown(_ text: String) {
        #expect(Signal(text) == nil)
    }

    @Test("every signal's name leads back to it", arguments: 1...64)
    func roundTrip(_ number: Int) throws {
        let signal = try #require(Signal(rawValue: Int32(number)))
        #expect(Signal(signal.name) == signal)
    }
}
