import Base64
import NIOHTTP1

/// A client's wish to go on by WebSocket, and what it is answered (RFC 6455, section 4.2).
package struct WebSocketHandshake {
    /// The headers of the answer, whose status is 101.
    package let answer: HTTPHeaders

    /// - Throws: `APIError` (invalid) with the words of Docker's server if the request is no such wish, or not of the
    ///   protocol's one version; `forbidden` for a page of another site: browsers let every page open such connections
    ///   to any host, with no question asked.
    package init(_ headers: HTTPHeaders) throws(APIError) {
        guard headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" }),
            headers[canonicalForm: "Connection"].contains(where: { $0.lowercased() == "upgrade" })
        else {
            throw .invalid("not websocket protocol")
        }
        guard headers.first(name: "Sec-WebSocket-Version") == "13" else {
            throw .invalid("missing or bad WebSocket Version")
        }
        guard let key = headers.first(name: "Sec-WebSocket-Key"), Base64.decode(key)?.count == 16 else {
            throw .invalid("mismatch challenge/response")
        }
        if let origin = headers.first(name: "Origin"), !Self.isTrusted(origin, host: headers.first(name: "Host")) {
            throw APIError(.forbidden, "the origin \"\(origin)\" may not attach: it is not the host of this daemon")
        }
        var answer: HTTPHeaders = [
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": Self.acceptance(of: key),
        ]
        // A client that names protocols of its own gives up unless it gets one of them.
        if let first = headers[canonicalForm: "Sec-WebSocket-Protocol"].first {
            answer.add(name: "Sec-WebSocket-Protocol", value: String(first))
        }
        self.answer = answer
    }

    /// The proof that the server has read a client's key.
    static func acceptance(of key: String) -> String {
        Base64.encode(SHA1.hash(of: Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }

    /// Whether a page of this origin is the daemon's own, or one of the same machine.
    static func isTrusted(_ origin: String, host: String?) -> Bool {
        guard let scheme = ["http://", "https://", "ws://", "wss://"].first(where: { origin.hasPrefix($0) }) else {
            return false
        }
        let authority = origin.dropFirst(scheme.utf8.count)
        if let host, !host.isEmpty, authority.lowercased() == host.lowercased() { return true }
        let name: Substring
        if authority.first == "[" {
            name = authority.prefix { $0 != "]" }.dropFirst()
        } else {
            name = authority.prefix { $0 != ":" }
        }
        return ["localhost", "127.0.0.1", "::1"].contains(name.lowercased())
    }
}

/// The hash that the handshake is defined with (FIPS 180-4, section 6.1). It proves nothing to anybody else.
enum SHA1 {
    static func hash(of message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        let bits = UInt64(message.count) * 8
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        padded += (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - $0 * 8)) }
        for start in stride(from: 0, to: padded.count, by: 64) { mix(padded[start..<start + 64], into: &state) }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - $0 * 8)) } }
    }

    private static func mix(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
        var words = stride(from: block.startIndex, to: block.endIndex, by: 4).map { index in
            block[index..<index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        for index in 16..<80 {
            words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], by: 1))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for (index, word) in words.enumerated() {
            let (function, constant): (UInt32, UInt32) =
                switch index / 20 {
                case 0: ((b & c) | (~b & d), 0x5A82_7999)
                case 1: (b ^ c ^ d, 0x6ED9_EBA1)
                case 2: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let sum = rotate(a, by: 5) &+ function &+ e &+ constant &+ word
            (e, d, c, b, a) = (d, c, rotate(b, by: 30), a, sum)
        }
        for (index, word) in [a, b, c, d, e].enumerated() { state[index] &+= word }
    }

    private static func rotate(_ word: UInt32, by count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
}
