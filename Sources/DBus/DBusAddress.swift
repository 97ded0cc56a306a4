import SystemPackage
import Text

/// Where a bus, or a service without one, listens (D-Bus specification, "Server Addresses").
package enum DBusAddress: Hashable, Sendable {
    /// A socket in the file system.
    case path(FilePath)
    /// A socket with an abstract name.
    case abstract(String)

    /// The addresses in `text`, such as `unix:path=/run/dbus/system_bus_socket;unix:abstract=x,guid=0`, in their order.
    /// Those of other transports than Unix sockets that exist are left out.
    ///
    /// - Throws: if it is malformed, or no address is left.
    package static func list(_ text: String) throws(DBusError) -> [DBusAddress] {
        var addresses: [DBusAddress] = []
        for part in text.split(separator: ";") {
            guard let colon = part.firstIndex(of: ":") else { throw DBusError("\"\(text)\" is not a D-Bus address") }
            var values: [Substring: String] = [:]
            for pair in part[part.index(after: colon)...].split(separator: ",") {
                guard let equals = pair.firstIndex(of: "="),
                    let value = PercentEncoding.decode(pair[pair.index(after: equals)...])
                else { throw DBusError("\"\(text)\" is not a D-Bus address") }
                values[pair[..<equals]] = value
            }
            guard part[..<colon] == "unix" else { continue }
            if let path = values["path"], !path.isEmpty {
                addresses.append(.path(FilePath(path)))
            } else if let name = values["abstract"], !name.isEmpty {
                addresses.append(.abstract(name))
            }
        }
        guard !addresses.isEmpty else {
            throw DBusError("the D-Bus address \"\(text)\" is not the address of a Unix socket")
        }
        return addresses
    }
}

extension DBusAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .path(let path): path.string
        case .abstract(let name): "@\(name)"
        }
    }
}
