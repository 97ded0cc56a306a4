import Glibc

/// The list of `NO_PROXY`: where requests go without a proxy. Parted by commas:
///
/// - `*`: everywhere;
/// - `10.0.0.0/8`, `fd00::/8`: addresses of a network;
/// - `10.0.0.1`, `10.0.0.1:5000`, `[::1]:5000`: one address, at any port or at one;
/// - `example.com`, `example.com:5000`: this name and all below it; `.example.com`, `*.example.com`: only those below
///   it.
///
/// `localhost` and addresses of the loopback are always reached without.
struct ProxyExceptions: Hashable, Sendable {
    private enum Entry: Hashable, Sendable {
        case network(NumericAddress, bits: Int)
        case address(NumericAddress, port: Int?)
        /// `suffix` begins with a dot.
        case name(suffix: String, includesItself: Bool, port: Int?)
    }

    private var entries: [Entry] = []
    private var isEverything = false

    init(_ text: String) {
        for part in text.split(separator: ",") {
            let word = part.filter { !$0.isWhitespace }.lowercased()
            if word.isEmpty { continue }
            if word == "*" {
                isEverything = true
                return
            }
            if let entry = Self.entry(word) { entries.append(entry) }
        }
    }

    /// `nil` for what Go does not understand either, and passes over.
    private static func entry(_ word: String) -> Entry? {
        if let slash = word.firstIndex(of: "/"), let address = NumericAddress(String(word[..<slash])),
            let bits = Int(word[word.index(after: slash)...]), (0...address.bytes.count * 8).contains(bits)
        {
            return .network(address, bits: bits)
        }
        if let address = NumericAddress(word) { return .address(address, port: nil) }
        guard let (name, port) = WebAddress.split(word) else { return nil }
        var host = name
        if let address = NumericAddress(host) { return .address(address, port: port) }
        if host.hasPrefix("*.") { host.removeFirst() }
        let isBelow = host.hasPrefix(".")
        return .name(suffix: isBelow ? host : "." + host, includesItself: !isBelow, port: port)
    }

    func contains(host: String, port: Int) -> Bool {
        let name = host.lowercased()
        let address = NumericAddress(name)
        if name == "localhost" || address?.isLoopback == true || isEverything { return true }
        return entries.contains { entry in
            switch entry {
            case .network(let network, let bits): address?.isWithin(network, bits: bits) ?? false
            case .address(let own, let ownPort): address == own && (ownPort ?? port) == port
            case .name(let suffix, let includesItself, let ownPort):
                (name.hasSuffix(suffix) || includesItself && name == suffix.dropFirst()) && (ownPort ?? port) == port
            }
        }
    }
}

/// An IPv4 or IPv6 address; one of IPv4 within IPv6 is the one of IPv4.
struct NumericAddress: Hashable, Sendable {
    /// 4 or 16, the most significant first.
    let bytes: [UInt8]

    init?(_ text: String) {
        var four = [UInt8](repeating: 0, count: 4)
        var sixteen = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = four
        } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
            let isFour = sixteen[..<10].allSatisfy { $0 == 0 } && sixteen[10] == 0xFF && sixteen[11] == 0xFF
            bytes = isFour ? Array(sixteen[12...]) : sixteen
        } else {
            return nil
        }
    }

    var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// Whether the first `bits` bits are those of `network`.
    func isWithin(_ network: NumericAddress, bits: Int) -> Bool {
        guard bytes.count == network.bytes.count else { return false }
        let whole = bits / 8
        guard bytes[..<whole] == network.bytes[..<whole] else { return false }
        guard bits % 8 > 0 else { return true }
        return (bytes[whole] ^ network.bytes[whole]) >> UInt8(8 - bits % 8) == 0
    }
}
