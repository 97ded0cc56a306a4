import Base64
import Text

/// Through which proxies registries are reached, by the rules that Go programs follow, and so Docker: `HTTP_PROXY`,
/// `HTTPS_PROXY` and `NO_PROXY`.
package struct ProxySettings: Hashable, Sendable {
    /// How one request goes.
    enum Route: Hashable, Sendable {
        case direct
        case proxy(WebProxy)
        /// A proxy is wanted that cannot be used. Going around it is not what was asked for.
        case unusable(String)
    }

    /// The proxy for `http` addresses as it was written; empty: none.
    package private(set) var http = ""
    /// The proxy for `https` addresses as it was written; empty: none.
    package private(set) var https = ""
    /// Where no proxy is used, as it was written.
    package private(set) var exceptions = ""

    private var httpRoute = Route.direct
    private var httpsRoute = Route.direct
    private var direct = ProxyExceptions("")

    /// No proxies.
    package init() {}

    /// - Parameters:
    ///   - http: the proxy for `http` addresses: `[http[s]://][user:password@]host[:port]`.
    ///   - https: the proxy for `https` addresses.
    ///   - exceptions: where no proxy is used; see `ProxyExceptions`.
    package init(http: String, https: String, exceptions: String) {
        self.http = http
        self.https = https
        self.exceptions = exceptions
        httpRoute = Self.route(http)
        httpsRoute = Self.route(https)
        direct = ProxyExceptions(exceptions)
    }

    /// Reads the variables as Go does: the name in capital letters wins.
    ///
    /// - Parameter overrides: texts that win over the variables where they are not empty.
    package init(
        overrides: (http: String, https: String, exceptions: String) = ("", "", ""),
        environment variable: (String) -> String?
    ) {
        func text(_ override: String, _ name: String) -> String {
            guard override.isEmpty else { return override }
            if let value = variable(name.uppercased()), !value.isEmpty { return value }
            return variable(name.lowercased()) ?? ""
        }
        self.init(
            http: text(overrides.http, "HTTP_PROXY"), https: text(overrides.https, "HTTPS_PROXY"),
            exceptions: text(overrides.exceptions, "NO_PROXY"))
    }

    /// Throws what is wrong with a proxy's address; an empty text is none.
    package static func check(_ text: String) throws(DistributionError) {
        guard case .unusable(let reason) = route(text) else { return }
        throw DistributionError(.wrongContent, reason)
    }

    private static func route(_ text: String) -> Route {
        guard !text.isEmpty else { return .direct }
        if let proxy = WebProxy(text) { return .proxy(proxy) }
        return .unusable(
            "invalid proxy address \"\(masked(text))\": expected [http[s]://][user:password@]host[:port]")
    }

    /// How to reach an address.
    func route(to address: WebAddress) -> Route {
        direct.contains(host: address.host, port: address.port)
            ? .direct : address.scheme == .http ? httpRoute : httpsRoute
    }

    /// Whether an address is reached without a proxy.
    package func goesDirectly(to address: WebAddress) -> Bool { route(to: address) == .direct }

    /// A proxy's address without its user and password, in Docker's form: `http://xxxxx:xxxxx@proxy:3128`.
    package static func masked(_ text: String) -> String {
        let start = text.firstSlashes ?? text.startIndex
        let end = text[start...].firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? text.endIndex
        // A password with a `/` that nobody has encoded makes the address useless, and is a password all the same.
        guard let at = text[start..<end].lastIndex(of: "@") ?? text[start...].lastIndex(of: "@") else { return text }
        return text[..<start] + "xxxxx:xxxxx" + text[at...]
    }
}

extension String {
    /// Where the text after `://` begins.
    fileprivate var firstSlashes: Index? {
        guard let colon = firstIndex(of: ":"), self[colon...].hasPrefix("://") else { return nil }
        return index(colon, offsetBy: 3)
    }
}

/// A proxy: where it is, and what to show it.
struct WebProxy: Hashable, Sendable {
    let address: WebAddress
    /// The value of `Proxy-Authorization`, where the URL has a user (RFC 7617).
    let authorization: String?

    /// Reads a URL, or `host[:port]`, which speaks plain HTTP.
    init?(_ text: String) {
        let url = text.firstSlashes == nil ? "http://" + text : text
        guard let start = url.firstSlashes, var address = WebAddress(url) else { return nil }
        address.target = "/"
        self.address = address
        let authority = url[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else {
            authorization = nil
            return
        }
        let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let user = PercentEncoding.bytes(parts[0]),
            let password = PercentEncoding.bytes(parts.count > 1 ? parts[1] : "")
        else {
            return nil
        }
        authorization = "Basic " + Base64.encode(user + [UInt8(ascii: ":")] + password)
    }
}

extension WebProxy: CustomStringConvertible {
    /// Without what is shown to it.
    var description: String { "\(address.scheme.rawValue)://\(address.authority)" }
}
