import Addresses

/// A port, or several in a row, inside a container: `80/tcp`, `8000-8010/udp`.
package struct PortRange: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The lowest port.
    package let first: UInt16
    /// Not less than `first`.
    package let last: UInt16
    /// TCP, UDP or SCTP.
    package let transport: TransportProtocol

    /// A single port.
    package init(_ port: UInt16, _ transport: TransportProtocol = .tcp) {
        first = port
        last = port
        self.transport = transport
    }

    /// Reads the form of image configurations and of the Docker API; without a protocol it is TCP. nil for anything
    /// else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let ports = HostPorts(String(parts[0])),
            let transport = parts.count == 1 ? .tcp : TransportProtocol(rawValue: parts[1].lowercased())
        else { return nil }
        first = ports.first
        last = ports.last
        self.transport = transport
    }

    /// All of them.
    package var ports: ClosedRange<UInt16> { first...last }

    package var description: String {
        (first == last ? "\(first)" : "\(first)-\(last)") + "/" + transport.rawValue
    }
}

/// A port, or several in a row, of the host: `8080`, `8080-8090`.
package struct HostPorts: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The lowest port.
    package let first: UInt16
    /// Not less than `first`.
    package let last: UInt16

    /// nil: `text` is no port and no range of ports.
    package init?(_ text: String) {
        let bounds = text.split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count <= 2, bounds.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let first = UInt16(bounds[0]), let last = bounds.count == 1 ? first : UInt16(bounds[1]), first <= last
        else { return nil }
        self.first = first
        self.last = last
    }

    package var description: String { first == last ? "\(first)" : "\(first)-\(last)" }
}
