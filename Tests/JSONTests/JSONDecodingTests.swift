import JSON
import Testing

struct JSONDecodingTests {
    private struct Inner: Decodable, Equatable {
        var Memory: Int
    }

    private struct Outer: Decodable, Equatable {
        var Image: String
        var HostConfig: Inner?
        var Labels: [String: String]?
    }

    @Test("names are taken in other cases where that is asked for, and only there")
    func cases() throws {
        let value = try JSON.parse(#"{"image":"box","hostconfig":{"memory":1},"labels":{"a":"1","A":"2"}}"#)
        let outer = try JSON.decode(Outer.self, from: value, ignoringCase: true)
        #expect(outer == Outer(Image: "box", HostConfig: Inner(Memory: 1), Labels: ["a": "1", "A": "2"]))
        #expect(throws: JSONError.self) { try JSON.decode(Outer.self, from: value) }
        let both = try JSON.parse(#"{"image":"wrong","Image":"right"}"#)
        #expect(try JSON.decode(Outer.self, from: both, ignoringCase: true).Image == "right")
    }
}
