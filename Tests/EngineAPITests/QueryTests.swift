import EngineAPI
import HTTPServing
import OCISpec
import Testing

@Suite("Queries")
struct QueryTests {
    @Test(
        "truth values are read as Docker reads them",
        arguments: [
            ("a=1", true), ("a=true", true), ("a=True", true), ("a=yes", true), ("a=anything", true), ("a=", false),
            ("a=0", false), ("a=false", false), ("a=FALSE", false), ("a=no", false), ("a=none", false), ("", false),
            ("a", false),
            ("a=+%20", false),
        ])
    func flags(_ text: String, _ expected: Bool) throws { #expect(try Query(text).flag("a") == expected) }

    @Test("escapes and repeated names are decoded")
    func decoding() throws {
        let query = try Query("changes=ENV+A%3Db&changes=CMD+%5B%22sh%22%5D&x=%F0%9F%93%A6")
        #expect(query.all("changes") == ["ENV A=b", "CMD [\"sh\"]"])
        #expect(query["x"] == "📦")
        #expect(query["y"] == nil)
    }

    @Test("a broken escape is refused", arguments: ["a=%", "a=%4", "a=%zz", "a=%ff"])
    func brokenEscapes(_ text: String) { #expect(throws: HTTPServerError.self) { try Query(text) } }

    @Test(
        "a number that is none is refused in Docker's words",
        arguments: [
            ("t=x", "strconv.Atoi: parsing \"x\": invalid syntax"),
            ("t=99999999999999999999", "strconv.Atoi: parsing \"99999999999999999999\": value out of range"),
        ])
    func numbers(_ text: String, _ message: String) throws {
        let error = #expect(throws: APIError.self) { try Query(text).integer("t") }
        #expect(error?.description == message)
    }

    @Test("numbers may be absent, empty or negative")
    func numberForms() throws {
        #expect(try Query("").integer("t") == nil)
        #expect(try Query("t=").integer("t") == nil)
        #expect(try Query("t=-1").integer("t") == -1)
    }

    @Test("a terminal's size must be there and fit")
    func terminalSize() throws {
        #expect(try Query("h=24").terminalSize("h", called: "height") == 24)
        let missing = #expect(throws: APIError.self) { try Query("").terminalSize("h", called: "height") }
        #expect(missing?.description == "invalid resize height \"\": invalid syntax")
        let negative = #expect(throws: APIError.self) { try Query("h=-3").terminalSize("h", called: "height") }
        #expect(negative?.description == "invalid resize height \"-3\": value out of range")
    }

    @Test(
        "moments are seconds with a fraction, or RFC 3339",
        arguments: [
            ("1136073600", 1_136_073_600, 0), ("1136073600.000000001", 1_136_073_600, 1),
            ("1136073600.5", 1_136_073_600, 500_000_000),
            ("2006-01-01T00:00:00Z", 1_136_073_600, 0), ("1136073600.12345678901", 1_136_073_600, 123_456_789),
        ])
    func moments(_ text: String, _ seconds: Int64, _ nanoseconds: Int32) throws {
        #expect(try Query("since=\(text)").moment("since") == Timestamp(seconds: seconds, nanoseconds: nanoseconds))
    }

    @Test("no moment, and bad ones", arguments: ["yesterday", "1.x", "1.-5", "1.123456789012345678901"])
    func badMoments(_ text: String) throws {
        #expect(try Query("since=0").moment("since") == nil)
        #expect(throws: APIError.self) { try Query("since=\(text)").moment("since") }
    }
}

@Suite("Filters")
struct FilterArgumentsTests {
    @Test(
        "both shapes that clients send mean the same",
        arguments: [
            #"{"label":["a=b","c"],"status":["running"]}"#,
            #"{"label":{"a=b":true,"c":true},"status":{"running":true}}"#,
        ])
    func shapes(_ json: String) throws {
        let filters = try FilterArguments(json: json)
        #expect(filters["label"] == ["a=b", "c"])
        #expect(filters["status"] == ["running"])
        #expect(filters["name"].isEmpty)
    }

    @Test("nothing and an empty object filter nothing", arguments: ["", "{}", #"{"a":[]}"#, #"{"a":null}"#])
    func empty(_ json: String) throws { #expect(try FilterArguments(json: json).isEmpty) }

    @Test(
        "anything else is an invalid filter",
        arguments: ["x", "[]", "1", #"{"a":1}"#, #"{"a":[1]}"#, #"{"a":{"b":1}}"#, #"{"a":"b"}"#])
    func invalid(_ json: String) {
        let error = #expect(throws: APIError.self) { try FilterArguments(json: json) }
        #expect(error?.description == "invalid filter")
    }

    @Test("unknown keys are named")
    func unknown() throws {
        let error = #expect(throws: APIError.self) { try FilterArguments(json: #"{"foo":["1"]}"#).validate(["label"]) }
        #expect(error?.description == "invalid filter 'foo'")
    }

    @Test("a truth filter cannot be both")
    func truth() throws {
        #expect(try FilterArguments(json: #"{"d":["1"]}"#).truth("d") == true)
        #expect(try FilterArguments(json: #"{"d":["false"]}"#).truth("d") == false)
        #expect(try FilterArguments(json: "").truth("d") == nil)
        #expect(throws: APIError.self) { try FilterArguments(json: #"{"d":["1","0"]}"#).truth("d") }
    }

    @Test("a NUL in a name or a value is refused", arguments: ["a=%00", "a=b&%00c=d", "name=x%00y"])
    func null(_ text: String) {
        #expect(throws: (any Error).self) { try Query(text) }
    }
}
