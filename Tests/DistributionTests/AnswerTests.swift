import Distribution
import FaultyRegistry
import NIOHTTP1
import OCISpec
import Testing

@Suite("what registries answer")
struct AnswerTests {
    private static func registries() -> Registries {
        var settings = RegistrySettings()
        settings.retries.firstDelay = .milliseconds(1)
        return Registries(settings)
    }

    private static func tags(_ registry: FaultyRegistry) async throws -> [String] {
        let name = try ImageReference(parsing: "\(registry.domain)/app:1")
        return try await registries().with(name, .pull) { try await $0.tags() }
    }

    @Test("a list of tags that goes in a circle is an error", arguments: [["a"], ["a", "b"], ["a", "b", "c", "b"]])
    func circle(_ pages: [String]) async throws {
        try await FaultyRegistry.run { registry in
            for page in pages {
                registry.fail(
                    "GET", "/tags/list", times: 1,
                    .answer(200, ["Link": "</v2/app/tags/list?last=\(page)>; rel=\"next\""], Array("{}".utf8)))
            }
            // From the last page on, it is always the same again.
            registry.fail(
                "GET", "/tags/list", times: 1000,
                .answer(200, ["Link": "</v2/app/tags/list?last=a>; rel=\"next\""], Array("{}".utf8)))
            let error = await #expect(throws: DistributionError.self) { try await Self.tags(registry) }
            #expect(error?.reason == .wrongContent)
            #expect(error?.message.contains("the registry's list of the tags of app has no end") == true)
        }
    }

    @Test("pages of tags that end are all read")
    func pages() async throws {
        try await FaultyRegistry.run { registry in
            registry.fail(
                "GET", "/tags/list", times: 1,
                .answer(
                    200, ["Link": "</v2/app/tags/list?last=a>; rel=\"next\""], Array(#"{"tags":["a"]}"#.utf8)))
            registry.fail("GET", "/tags/list", times: 1, .answer(200, [:], Array(#"{"tags":["b"]}"#.utf8)))
            let tags = try await Self.tags(registry)
            #expect(tags == ["a", "b"])
        }
    }

    @Test(
        "a registry is left alone for as long as it asks, in seconds or until a date",
        arguments: [
            ("120", nil, 120), ("Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sunday, 06-Nov-94 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sun Nov  6 08:50:07 1994", "Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sun, 06 Nov 1994 08:49:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Thu, 01 Jan 1970 00:16:45 GMT", nil, 5), ("soon", nil, nil), ("Sun, 06 Foo 1994 08:49:37 GMT", nil, nil),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil, nil), ("-5", nil, 0),
        ] as [(String, String?, Int?)])
    func retryAfter(_ text: String, _ date: String?, _ seconds: Int?) {
        var headers: HTTPHeaders = ["Retry-After": text]
        if let date { headers.add(name: "Date", value: date) }
        #expect(RetryAfter.delay(in: headers, now: 1000) == seconds.map { .seconds($0) })
    }

    @Test("a token server that has too much to do is asked again")
    func busyTokenServer() async throws {
        try await FaultyRegistry.run { registry in
            try registry.add(image: [[1]], to: "app", as: "1")
            registry.protect("me:secret", withTokens: true)
            registry.fail("GET", "/token", times: 2, .status(429, ["Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"]))
            let name = try ImageReference(parsing: "\(registry.domain)/app:1")
            let credentials = RegistryCredentials.password(user: "me", password: "secret")
            let tags = try await Self.registries().with(name, .pull, credentials: credentials) { try await $0.tags() }
            #expect(tags == ["1"])
        }
    }

    @Test("nothing that a registry says can command a terminal")
    func escapes() async throws {
        try await FaultyRegistry.run { registry in
            let text = #"{"errors":[{"code":"DENIED","message":"\u001b]0;owned\u0007\u001b[2J\r\u202Eevil\nsecond"}]}"#
            registry.fail("GET", "/tags/list", times: 9, .answer(403, [:], Array(text.utf8)))
            let error = await #expect(throws: DistributionError.self) { try await Self.tags(registry) }
            #expect(
                error?.message
                    == "denied: \\u001b]0;owned\\u0007\\u001b[2J\\u000d\\u202eevil\nsecond")
            registry.fail("GET", "/tags/list", times: 9, .answer(200, [:], Array("{\"\u{1B}[2J".utf8)))
            let broken = await #expect(throws: DistributionError.self) { try await Self.tags(registry) }
            #expect(broken?.message.utf8.contains(0x1B) == false)
        }
    }

    @Test(
        "a body without a length and without chunks ends with its connection, whose end must therefore be announced",
        arguments: [
            ([], true), ([("Content-Length", "3")], false), ([("Transfer-Encoding", "chunked")], false),
            ([("Transfer-Encoding", "gzip, Chunked")], false), ([("Transfer-Encoding", "gzip")], true),
            ([("Transfer-Encoding", "gzip"), ("Content-Length", "3")], true),
            ([("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "gzip")], true),
            ([("Transfer-Encoding", "chunked, gzip")], true),
        ] as [([(String, String)], Bool)])
    func endOfBody(headers: [(String, String)], endsWithConnection: Bool) {
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: HTTPHeaders(headers))
        #expect(head.endsWithConnection == endsWithConnection)
    }
}
