import Addresses
import Engine
import EngineAPIModel
import PublishedPorts

extension PortRange {
    /// Reads a port of `ExposedPorts` or `PortBindings`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    init(wire text: String) throws {
        guard let port = PortRange(text) else { throw APIError.invalid("invalid port specification: \"\(text)\"") }
        self = port
    }
}

extension PortMapping {
    /// Reads `PortBindings`, ordered by port.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    static func all(wire: [String: [EngineAPIModel.PortBinding]?]) throws -> [PortMapping] {
        try wire.sorted { $0.key < $1.key }.map { text, bindings in
            let port = try PortRange(wire: text)
            guard port.first > 0 else { throw APIError.invalid("invalid port specification: \"\(port)\"") }
            return PortMapping(port: port, bindings: try (bindings ?? []).map(EnginePortBinding.init(wire:)))
        }
    }

    /// As `inspect` shows it.
    static func wire(_ ports: [PortMapping]) -> [String: [EngineAPIModel.PortBinding]?] {
        var wire: [String: [EngineAPIModel.PortBinding]?] = [:]
        for published in ports { wire[published.port.description] = published.bindings.map(\.wire) }
        return wire
    }
}

extension EnginePortBinding {
    fileprivate init(wire: EngineAPIModel.PortBinding) throws {
        self.init()
        if !wire.hostIP.isEmpty {
            guard let address = IPAddress(wire.hostIP) else {
                throw APIError.invalid("invalid IP address in port binding: \(wire.hostIP)")
            }
            self.address = address
        }
        if !wire.hostPort.isEmpty {
            guard let ports = HostPorts(wire.hostPort) else {
                throw APIError.invalid("invalid port specification: \"\(wire.hostPort)\"")
            }
            self.ports = ports
        }
    }

    fileprivate var wire: EngineAPIModel.PortBinding {
        var wire = EngineAPIModel.PortBinding()
        wire.hostIP = address?.description ?? ""
        wire.hostPort = ports?.description ?? ""
        return wire
    }
}
