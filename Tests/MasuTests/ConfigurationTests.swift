import Glibc
import MasuCommand
import Testing

@Suite("The user's config.json")
struct ConfigurationTests {
    private func configuration(_ text: String) throws -> ClientConfiguration {
        var template = Array("/tmp/masu-configuration.XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
        close(descriptor)
        return try ClientConfiguration(path: path)
    }

    private static let proxies = #"""
        {"proxies": {
            "default": {"httpProxy": "http://a", "httpsProxy": "http://b", "noProxy": "c", "ftpProxy": "d", "allProxy": "e"},
            "unix:///run/other.sock": {"httpsProxy": "http://other"}
        }}
        """#

    @Test("each proxy is two variables, one in upper and one in lower case")
    func names() throws {
        #expect(
            try configuration(Self.proxies).proxyVariables(for: "unix:///run/masu/masu.sock", besides: []) == [
                "HTTP_PROXY=http://a", "http_proxy=http://a", "HTTPS_PROXY=http://b", "https_proxy=http://b",
                "NO_PROXY=c", "no_proxy=c", "FTP_PROXY=d", "ftp_proxy=d", "ALL_PROXY=e", "all_proxy=e",
            ])
    }

    @Test("a daemon with proxies of its own gets none of the others")
    func daemon() throws {
        #expect(
            try configuration(Self.proxies).proxyVariables(for: "unix:///run/other.sock", besides: []) == [
                "HTTPS_PROXY=http://other", "https_proxy=http://other",
            ])
    }

    @Test("variables that the user has set keep what they are, each by its own case")
    func given() throws {
        let variables = try configuration(#"{"proxies": {"default": {"httpProxy": "http://a", "noProxy": "c"}}}"#)
            .proxyVariables(for: "unix:///x", besides: ["HTTP_PROXY=mine", "no_proxy", "NO_PROXY="])
        #expect(variables == ["http_proxy=http://a"])
    }

    @Test(
        "what is not there is empty",
        arguments: ["", " \n", "{}", #"{"proxies": null}"#, #"{"proxies": {"default": {"httpProxy": ""}}}"#])
    func none(_ text: String) throws {
        let configuration = try configuration(text)
        #expect(configuration.proxyVariables(for: "unix:///x", besides: []).isEmpty)
        #expect(configuration.detachKeys.isEmpty)
    }

    @Test("filters of prune commands are those given and those of the file that do not contradict them")
    func pruneFilters() throws {
        let own = try configuration(#"{"pruneFilters": ["label!=keep", "until=24h", "nothing", "label=a=b"]}"#)
        #expect(own.pruneFilters([]) == ["label!=keep", "until=24h", "label=a=b"])
        #expect(own.pruneFilters(["label=keep"]) == ["label=keep", "until=24h", "label=a=b"])
        #expect(own.pruneFilters(["label!=a=b"]) == ["label!=a=b", "label!=keep", "until=24h"])
        #expect(try configuration("{}").pruneFilters(["x=y"]) == ["x=y"])
    }

    @Test("what is no object is refused", arguments: ["[]", "{", "1"])
    func damaged(_ text: String) {
        #expect(throws: CommandError.self) { try configuration(text) }
    }
}
