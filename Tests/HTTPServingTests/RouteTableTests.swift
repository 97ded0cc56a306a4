import HTTPServing
import NIOHTTP1
import Testing

@Suite("Routes and targets")
struct RouteTableTests {
    private static let table = RouteTable<String>([
        .init(.DELETE, "/containers/{name}", "remove"),
        .init(.DELETE, "/containers/{name}/checkpoints/{checkpoint}", "remove checkpoint"),
        .init(.GET, "/images/{name}/json", "inspect"),
        .init(.GET, "/images/json", "list"),
        .init(nil, "/v2/{name}/blobs/{digest}", "blob"),
        .init(nil, "/v2/{name}/blobs/uploads", "uploads"),
        .init(nil, "/", "root"),
    ])

    @Test(
        "the pattern with the most given segments is meant, whatever the order",
        arguments: [
            (HTTPMethod.DELETE, "/containers/web", "remove", "web", ""),
            (.DELETE, "/containers/web/checkpoints/c1", "remove checkpoint", "web", "c1"),
            (.DELETE, "/containers/web/checkpoints", "remove", "web/checkpoints", ""),
            (.GET, "/images/json", "list", "", ""), (.GET, "/images/json/json", "inspect", "json", ""),
            (.GET, "/images/a/b/json", "inspect", "a/b", ""), (.PUT, "/v2/a/b/blobs/uploads", "uploads", "a/b", ""),
            (.PUT, "/v2/a/blobs/blobs/x", "blob", "a/blobs", ""), (.GET, "/", "root", "", ""),
        ])
    func matching(method: HTTPMethod, path: String, value: String, name: String, checkpoint: String) throws {
        let found = try #require(Self.table.find(method, try RequestTarget(path).segments))
        #expect(found.value == value)
        #expect(found.parameters["name"] == name)
        #expect(found.parameters["checkpoint"] == checkpoint)
    }

    @Test(
        "what no pattern has is not found",
        arguments: [
            (HTTPMethod.GET, "/containers/web"), (.GET, "/images"), (.GET, "/v2/blobs/x"), (.DELETE, "/containers"),
        ])
    func notFound(method: HTTPMethod, path: String) throws {
        #expect(Self.table.find(method, try RequestTarget(path).segments) == nil)
    }

    @Test("a target is a path and a query, decoded")
    func target() throws {
        let target = try RequestTarget("/a%2Fb//c?x=1+2&x=%26&y")
        #expect(target.segments == ["a", "b", "c"])
        #expect(target.query.all("x") == ["1 2", "&"])
        #expect(target.query["y"] == "")
        #expect(target.query["z"] == nil)
        #expect(throws: HTTPServerError.invalidEscape("/a%2")) { try RequestTarget("/a%2") }
        #expect(throws: HTTPServerError.invalidEscape("x=%zz")) { try RequestTarget("/a?x=%zz") }
    }
}
