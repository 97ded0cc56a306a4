import HTTPServing
import EngineAPI
import Logging
import NIOHTTP1
import Testing

@Suite("The router")
struct RouterTests {
    private static let router = Router(
        routes: [
            Route(.GET, "/images/json") { request in
                text("list" + (request.query["x"].map { " \(request.query.flag("manifests")) \($0)" } ?? ""))
            },
            Route(.POST, "/images/prune") { _ in text("pruned") },
            Route(.GET, "/distribution/{name}/json") { _ in text("distribution") },
            Route(.GET, "/images/{name}/json") { request in text("inspect \(request.name)") },
            Route(.DELETE, "/images/{name}") { request in text("remove \(request.name)") },
            Route(.GET, "/version") { request in text("\(request.version) \(request.query.text("a"))") },
            Route(.OPTIONS, "/{path}") { _ in text("") },
            Route(.GET, "/fails") { _ in throw APIError(.conflict, "no") },
        ], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

    private static func text(_ text: String) -> HTTPResponse {
        HTTPResponse(status: .ok, body: .bytes(Array(text.utf8)))
    }

    private func answer(_ method: HTTPMethod, _ target: String) async -> (
        status: Int, body: String, headers: HTTPHeaders
    ) {
        let responder = Self.router.responder
        let request = HTTPRequest(method: method, target: target, headers: [:], body: .empty)
        let response: HTTPResponse
        do {
            response = try await responder.respond(request)
        } catch {
            response = responder.failure(error, request)
        }
        guard case .bytes(let bytes) = response.body else { return (0, "", [:]) }
        return (Int(response.status.code), String(decoding: bytes, as: UTF8.self), response.headers)
    }

    @Test(
        "a path finds its route, with and without a version",
        arguments: [
            ("/images/json", "list"), ("/v1.41/images/json", "list"), ("/images/debian/json", "inspect debian"),
            ("/v1.51/images/registry.example:5000/a/b:tag/json", "inspect registry.example:5000/a/b:tag"),
            ("/images/a%2Fb/json", "inspect a/b"), ("//images//x/json", "inspect x"),
            ("/v1.30/version?a=b+c", "1.30 b c"),
            ("/version", "1.55 "),
        ])
    func paths(_ target: String, _ expected: String) async {
        let answer = await answer(.GET, target)
        #expect(answer.status == 200)
        #expect(answer.body == expected)
    }

    @Test(
        "an unknown path and a wrong method are not found",
        arguments: ["/nothing", "/v1.41", "/", "/images", "/v1.41/images/"])
    func notFound(_ target: String) async {
        let answer = await answer(.GET, target)
        #expect(answer.status == 404)
        #expect(answer.body == "{\"message\":\"page not found\"}\n")
        #expect(await self.answer(.POST, "/version").status == 404)
    }

    @Test("versions outside the range are refused in Docker's words")
    func versions() async {
        let new = await answer(.GET, "/v1.56/version")
        #expect(new.status == 400)
        #expect(new.body == "{\"message\":\"client version 1.56 is too new. Maximum supported API version is 1.55\"}\n")
        let old = await answer(.GET, "/v1.23/version")
        #expect(
            old.body.contains("client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade"))
    }

    @Test("an operation of a newer version is refused in Docker's words")
    func minimumVersion() async {
        let answer = await answer(.POST, "/v1.24/images/prune")
        #expect(answer.status == 400)
        #expect(answer.body == "{\"message\":\"POST /images/prune requires minimum API version 1.25\"}\n")
        let named = await self.answer(.GET, "/v1.29/distribution/a/b/json")
        #expect(
            named.body
                == "{\"message\":\"GET /distribution/{name:.*}/json requires minimum API version 1.30\"}\n")
    }

    @Test("a parameter that the version does not have is not there")
    func parameters() async {
        #expect(await answer(.GET, "/v1.46/images/json?manifests=1&x=2").body == "list false 2")
        #expect(await answer(.GET, "/v1.47/images/json?manifests=1&x=2").body == "list true 2")
    }

    @Test("OPTIONS is answered for every path")
    func options() async {
        for target in ["/version", "/v1.41/nothing", "*"] {
            let answer = await answer(.OPTIONS, target)
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
        }
    }

    @Test("every response tells the API version, errors too")
    func headers() async {
        let answer = await answer(.GET, "/fails")
        #expect(answer.status == 409)
        #expect(answer.body == "{\"message\":\"no\"}\n")
        #expect(answer.headers.first(name: "Api-Version") == "1.55")
        #expect(answer.headers.first(name: "Ostype") == "linux")
    }
}
