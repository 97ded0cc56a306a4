import Addresses
import PublishedPorts

/// The variables by which a container knew those that it is linked to before there were names, as Docker wrote them.
/// They give away the other container's own variables, which is why they are an option.
package enum LinkEnvironment {
    /// The variables for one link on the default bridge.
    ///
    /// - Parameters:
    ///   - alias: What the container calls the other one.
    ///   - container: The container's own name.
    ///   - address: The other container's.
    ///   - ports: The other container's exposed ports.
    ///   - environment: The other container's own variables.
    package static func variables(
        alias: String, of container: String, address: IPAddress, ports: [PortRange], environment: [String]
    ) -> [String] {
        let prefix = alias.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        let sorted = Set(ports.flatMap { range in range.ports.map { PortRange($0, range.transport) } })
            .sorted { ($0.first, $0.transport == .tcp ? 0 : 1) < ($1.first, $1.transport == .tcp ? 0 : 1) }
        var result: [String] = []
        if let first = sorted.first { result.append("\(prefix)_PORT=\(place(first, address))") }
        for run in runs(sorted) where run.count > 1 {
            result += variables(ofRun: run, prefix, address)
        }
        for port in sorted {
            let name = name(prefix, port)
            result += [
                "\(name)=\(place(port, address))", "\(name)_ADDR=\(address)", "\(name)_PORT=\(port.first)",
                "\(name)_PROTO=\(port.transport.rawValue)",
            ]
        }
        result.append("\(prefix)_NAME=/\(container)/\(alias)")
        for variable in environment {
            let name = variable.prefix { $0 != "=" }
            // These would be wrong in another container.
            if name.utf8.count == variable.utf8.count || name == "HOME" || name == "PATH" { continue }
            result.append("\(prefix)_ENV_\(variable)")
        }
        return result
    }

    private static func variables(ofRun run: [PortRange], _ prefix: String, _ address: IPAddress) -> [String] {
        guard let first = run.first, let last = run.last else { return [] }
        let name = name(prefix, first)
        return [
            "\(name)_START=\(place(first, address))", "\(name)_ADDR=\(address)",
            "\(name)_PROTO=\(first.transport.rawValue)", "\(name)_PORT_START=\(first.first)",
            "\(name)_END=\(place(last, address))", "\(name)_PORT_END=\(last.first)",
        ]
    }

    /// Ports in a row, of one protocol.
    private static func runs(_ ports: [PortRange]) -> [[PortRange]] {
        var runs: [[PortRange]] = []
        for port in ports {
            if let last = runs.last?.last, last.transport == port.transport, port.first - last.first == 1 {
                runs[runs.count - 1].append(port)
            } else {
                runs.append([port])
            }
        }
        return runs
    }

    private static func name(_ prefix: String, _ port: PortRange) -> String {
        "\(prefix)_PORT_\(port.first)_\(port.transport.rawValue.uppercased())"
    }

    private static func place(_ port: PortRange, _ address: IPAddress) -> String {
        "\(port.transport.rawValue)://\(address.isIPv6 ? "[\(address)]" : "\(address)"):\(port.first)"
    }
}
