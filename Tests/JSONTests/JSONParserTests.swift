import JSON
import Testing

@Suite("JSON parser")
struct JSONParserTests {
    @Test(
        "valid JSON is read and written back",
        arguments: [
            ("null", "null"), (" true ", "true"), ("[]", "[]"), ("{}", "{}"), ("-0", "0"),
            ("9223372036854775807", "9223372036854775807"),
            ("18446744073709551615", "18446744073709551615"), ("1.5e3", "1500"), ("0.1", "0.1"),
            (#"{"b":1,"a":[1,2,{"c":null}]}"#, #"{"b":1,"a":[1,2,{"c":null}]}"#),
            (#""\u00e9\n\"\\\/\ud83d\ude00""#, "\"é\\n\\\"\\\\/😀\""), (#""\ud800""#, "\"\u{FFFD}\""),
            (#""\u0001""#, #""\u0001""#),
            (#"{"a":1,"a":2}"#, #"{"a":2}"#),
        ])
    func valid(text: String, written: String) throws {
        #expect(try JSON.parse(text).text() == written)
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", "nul", "tru", "[1,]", "[1 2]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{\"a\":1,}", "01", "1.", ".5", "+1",
            "-", "1e", "1e999",
            "\"abc", "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"", "[1]]", "'a'", "\u{FEFF}[]", "NaN",
        ])
    func invalid(text: String) {
        #expect(throws: JSONError.self) { try JSON.parse(text) }
    }

    @Test("bytes that are not UTF-8 are refused")
    func notUTF8() {
        #expect(throws: JSONError.self) { try JSON.parse([0x22, 0xFF, 0x22] as [UInt8]) }
    }

    @Test("nesting without end is an error, not a crash")
    func depth() {
        #expect(throws: JSONError.self) { try JSON.parse(String(repeating: "[", count: 1_000_000)) }
    }

    @Test("an error says where")
    func place() {
        #expect(throws: JSONError.syntax(line: 2, column: 8, reason: "expected ',' or '}' in an object")) {
            try JSON.parse("{\n \"a\": 1x}")
        }
    }

    @Test("a large object is searched by index and keeps its order")
    func largeObject() throws {
        let text = "{" + (0..<200).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
        var value = try #require(try JSON.parse(text).object)
        #expect(value["k150"] == 150)
        value["k0"] = nil
        #expect(value["k150"] == 150)
        #expect(value.keys.first == "k1")
        #expect(value.count == 199)
    }
}

@Suite("JSON coding")
struct JSONCodingTests {
    struct Sample: Codable, Equatable {
        var name: String
        var limit: Int64?
        var tags: [String: String]?
        var inner: [Inner]?
        var any: JSONValue?
        struct Inner: Codable, Equatable {
            var flag: Bool
            var small: UInt8
        }
    }

    @Test("a value survives being written and read")
    func roundTrip() throws {
        let sample = Sample(
            name: "a", limit: .max, tags: ["x": "y"], inner: [.init(flag: true, small: 255)], any: ["k": [1, nil]])
        #expect(try JSON.decode(Sample.self, from: JSON.encode(sample)) == sample)
    }

    @Test("an absent optional is left out, and null counts as absent")
    func optionals() throws {
        #expect(String(decoding: try JSON.encode(Sample(name: "a")), as: UTF8.self) == #"{"name":"a"}"#)
        #expect(try JSON.decode(Sample.self, from: Array(#"{"name":"a","limit":null,"other":1}"#.utf8)).limit == nil)
    }

    @Test(
        "an error names the path and what was found there",
        arguments: [
            (#"{"limit":1}"#, "invalid JSON value at name: is missing"),
            (#"{"name":1}"#, "invalid JSON value at name: expected a string, found a number"),
            (#"{"name":"a","limit":1.5}"#, "at limit: the number 1.5 is not a whole number from"),
            (
                #"{"name":"a","inner":[{"flag":true,"small":256}]}"#,
                "at inner[0].small: the number 256 is not a whole number from 0 to 255"
            ),
            (#"{"name":"a","inner":[{"flag":0,"small":1}]}"#, "at inner[0].flag: expected a boolean, found a number"),
            (#"[]"#, "expected an object, found an array"),
        ])
    func errors(text: String, message: String) throws {
        let error = #expect(throws: JSONError.self) { try JSON.decode(Sample.self, from: Array(text.utf8)) }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    @Test("a number that JSON cannot spell is refused")
    func notANumber() {
        #expect(throws: JSONError.self) { try JSON.encode(["x": Double.nan]) }
    }

    @Test("pretty text is indented by four spaces and empty containers stay closed")
    func pretty() throws {
        #expect(
            try JSON.parse(#"{"a":[1],"b":{}}"#).text(pretty: true)
                == "{\n    \"a\": [\n        1\n    ],\n    \"b\": {}\n}")
    }
}
