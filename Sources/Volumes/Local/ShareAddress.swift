import Text

/// The server in the device of a share of CIFS, such as `//server/share`.
enum ShareAddress {
    /// The server's part of a device, if it has one: what is between `//` and the next slash.
    static func authority(of device: String) -> Substring? {
        var rest = device[...]
        if let colon = rest.firstIndex(of: ":"), rest[colon...].hasPrefix("://") {
            rest = rest[rest.index(after: colon)...]
        }
        guard rest.hasPrefix("//") else { return nil }
        let end = rest.dropFirst(2).firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[rest.index(rest.startIndex, offsetBy: 2)..<end]
        return authority.isEmpty ? nil : authority
    }

    /// Refuses a port, which is an option of the mount.
    ///
    /// - Throws: `.invalid`, in Docker's words.
    static func checkPort(of device: String) throws(VolumesError) {
        guard let authority = authority(of: device) else { return }
        // Behind the name of a user, and an IPv6 address has brackets.
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        let behind = host.hasPrefix("[") ? host.drop { $0 != "]" }.dropFirst() : host[...]
        guard let colon = behind.lastIndex(of: ":") else { return }
        let port = behind[behind.index(after: colon)...]
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .invalid(
                "error parsing mount device url: parse \"\(device)\": invalid port \":\(port)\" after host")
        }
        if !port.isEmpty {
            throw .invalid("port not allowed in CIFS device URL, include 'port' in 'o='")
        }
    }
}
