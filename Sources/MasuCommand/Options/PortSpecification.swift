import Addresses
import EngineAPIModel
import Text

/// Ports a container publishes (`-p`) or exposes (`--expose`).
package struct PortSpecification: Hashable, Sendable {
    /// `80/tcp`.
    package let containerPort: String
    /// The host's address; empty is all of them.
    package let hostAddress: String
    /// The host's port or a range to choose from; empty lets the daemon choose.
    package let hostPort: String

    /// Parses `[[ip:][hostPort[-last]]:]containerPort[-last][/protocol]`, or the long form
    /// `target=80,published=8080,…`.
    ///
    /// - Returns: one value for each port of a range.
    /// - Throws: ``CommandError`` in docker's words.
    package static func parse(_ text: String) throws(CommandError) -> [PortSpecification] {
        if text.contains("=") { return try parseLong(text) }
        let slash = text.firstIndex(of: "/")
        let transport = slash.map { text[text.index(after: $0)...].lowercased() } ?? "tcp"
        let (address, host, container) = split(text[..<(slash ?? text.endIndex)])
        guard !container.isEmpty else { throw CommandError("no port specified: \(text)<empty>") }
        if !address.isEmpty, IPAddress(address) == nil { throw CommandError("invalid IP address: \(address)") }
        guard let inside = range(container) else { throw CommandError("invalid containerPort: \(container)") }
        var outside: ClosedRange<Int>?
        if !host.isEmpty {
            guard let parsed = range(host) else { throw CommandError("invalid hostPort: \(host)") }
            outside = parsed
        }
        if let outside, outside.count != inside.count, inside.count != 1 {
            throw CommandError("invalid ranges specified for container and host Ports: \(container) and \(host)")
        }
        guard ["tcp", "udp", "sctp"].contains(transport) else { throw CommandError("invalid proto: \(transport)") }
        return inside.enumerated().map { offset, port in
            var hostPort = ""
            if let outside {
                hostPort =
                    inside.count == 1 && outside.count > 1
                    ? "\(outside.lowerBound)-\(outside.upperBound)" : String(outside.lowerBound + offset)
            }
            return PortSpecification(containerPort: "\(port)/\(transport)", hostAddress: address, hostPort: hostPort)
        }
    }

    /// Parses `--expose`: a port or range with a protocol.
    ///
    /// - Returns: `80/tcp` and so on.
    package static func parseExposed(_ text: String) throws(CommandError) -> [String] {
        guard !text.contains(":") else { throw CommandError("invalid port format for --expose: \(text)") }
        let slash = text.firstIndex(of: "/")
        let transport = slash.map { text[text.index(after: $0)...].lowercased() } ?? "tcp"
        let ports = text[..<(slash ?? text.endIndex)]
        guard let parsed = range(String(ports)) else {
            throw CommandError(
                "invalid range format for --expose: \(ports), "
                    + "error: strconv.ParseUint: parsing \"\(ports)\": invalid syntax")
        }
        return parsed.map { "\($0)/\(transport)" }
    }

    /// Collects specifications as the API wants them.
    static func bindings(_ list: [PortSpecification]) -> [String: [PortBinding]?] {
        var result: [String: [PortBinding]?] = [:]
        for item in list {
            var binding = PortBinding()
            binding.hostIP = item.hostAddress
            binding.hostPort = item.hostPort
            let earlier = result[item.containerPort].flatMap { $0 } ?? []
            result[item.containerPort] = earlier + [binding]
        }
        return result
    }

    private static func split(_ text: Substring) -> (address: String, host: String, container: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1: return ("", "", parts[0])
        case 2: return ("", parts[0], parts[1])
        default:
            var address = parts.dropLast(2).joined(separator: ":")
            if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
            return (address, parts[parts.count - 2], parts[parts.count - 1])
        }
    }

    private static func range(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = ends.first.flatMap({ UInt16($0) }), let last = ends.last.flatMap({ UInt16($0) }),
            first <= last
        else {
            return nil
        }
        return Int(first)...Int(last)
    }

    private static func parseLong(_ text: String) throws(CommandError) -> [PortSpecification] {
        var target = ""
        var published = ""
        var transport = "tcp"
        for field in text.split(separator: ",") {
            let (key, value, hasValue) = KeyValueTexts.divide(String(field))
            guard hasValue, !value.isEmpty else {
                throw CommandError("invalid publish opts format (should be name=value but got '\(field)')")
            }
            switch key {
            case "target":
                guard UInt16(value) != nil else { throw CommandError("invalid value for target: \(value)") }
                target = value
            case "published":
                guard range(value) != nil else { throw CommandError("invalid hostPort: \(value)") }
                published = value
            case "protocol": transport = value
            case "mode":
                guard value == "host" || value == "ingress" else {
                    throw CommandError("invalid publish mode value (\(value)): must be either 'ingress' or 'host'")
                }
            default: throw CommandError("invalid publish opts key (\(key))")
            }
        }
        guard !target.isEmpty else { throw CommandError("missing mandatory field: target") }
        guard ["tcp", "udp", "sctp"].contains(transport) else {
            throw CommandError("invalid protocol value '\(transport)'")
        }
        return [PortSpecification(containerPort: "\(target)/\(transport)", hostAddress: "", hostPort: published)]
    }
}
