import Addresses
import Glibc

/// Addresses of servers by their names, as this machine's own resolver gives them.
enum HostAddresses {
    /// The first address of a host.
    ///
    /// - Throws: `.unavailable` if it has none, or nobody answers.
    static func look(_ name: String) throws(VolumesError) -> IPAddress {
        if let address = IPAddress(name) { return address }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            throw VolumesError(.unavailable, "lookup \(name): \(String(cString: gai_strerror(status)))")
        }
        var entry = list
        while let info = entry?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if status == 0 {
                let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                if let address = IPAddress(String(decoding: bytes, as: UTF8.self)) { return address }
            }
            entry = info.ai_next
        }
        throw VolumesError(.unavailable, "lookup \(name): no such host")
    }
}
