import Engine
import EngineAPIModel
import PublishedPorts

/// A container's ports, as `inspect` and lists show them.
enum PortBindings {
    /// By the container's port: where it is published, or nil for one that is exposed only.
    static func shown(
        exposed: [ContainerPorts], published: [PublishedPort]
    ) -> [String: [EngineAPIModel.PortBinding]?] {
        var shown: [String: [EngineAPIModel.PortBinding]?] = [:]
        for range in exposed {
            for port in range.ports { shown["\(port)/\(range.transport.rawValue)"] = .some(nil) }
        }
        for port in published {
            var binding = EngineAPIModel.PortBinding()
            binding.hostIP = port.hostAddress.description
            binding.hostPort = String(port.hostPort)
            let key = "\(port.containerPort)/\(port.transport.rawValue)"
            shown[key] = (shown[key].flatMap { $0 } ?? []) + [binding]
        }
        return shown
    }

    /// The same as rows of a list.
    static func rows(exposed: [ContainerPorts], published: [PublishedPort]) -> [PortSummary] {
        func row(_ port: UInt16, _ type: String) -> PortSummary {
            var row = PortSummary()
            row.privatePort = Int(port)
            row.type = type
            return row
        }
        let taken = Set(published.map { "\($0.containerPort)/\($0.transport.rawValue)" })
        let unpublished = exposed.flatMap { range in range.ports.map { row($0, range.transport.rawValue) } }
            .filter { !taken.contains("\($0.privatePort)/\($0.type)") }
        return unpublished
            + published.map { port in
                var row = row(port.containerPort, port.transport.rawValue)
                row.ip = port.hostAddress.description
                row.publicPort = Int(port.hostPort)
                return row
            }
    }
}
