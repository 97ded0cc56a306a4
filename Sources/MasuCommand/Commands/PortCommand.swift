import EngineAPIModel
import Flags

extension ContainerCommands {
    static func port(_ placement: Placement) -> Command {
        Command(
            "port", operands: "CONTAINER [PRIVATE_PORT[/PROTO]]", arity: .between(1, 2),
            "List port mappings or a specific mapping for the container",
            examples: [.init("Print where port 80 of a container is published", "masu port web 80")],
            spellings: ["masu container port", "masu port"],
            action: { invocation in
                let name = invocation.operands[0]
                let container = try DaemonClient(invocation).call(
                    HTTPRequest("GET", path(name, "/json")), as: ContainerInspection.self)
                let ports = container.networkSettings.ports
                let lines =
                    invocation.operands.count > 1
                    ? try places(of: invocation.operands[1], in: ports, container: name)
                    : ports.flatMap { port, places in (places ?? []).map { "\(port) -> \(address($0))" } }
                for line in lines.sorted(by: NaturalOrder.precedes) { try Console.print(line) }
                return 0
            })
    }

    private static func places(
        of text: String, in ports: [String: [PortBinding]?], container: String
    ) throws(CommandError) -> [String] {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let transport = parts.count > 1 && !parts[1].isEmpty ? String(parts[1]) : "tcp"
        do throws(InvalidFlagValue) {
            _ = try FlagValue.unsigned(String(parts[0]), bits: 16)
        } catch {
            throw CommandError("Error: invalid port (\(parts[0])): \(error.reason)")
        }
        guard let places = ports["\(parts[0])/\(transport)"].flatMap({ $0 }), !places.isEmpty else {
            throw CommandError("Error: No public port '\(text)' published for \(container)")
        }
        return places.map(address)
    }

    private static func address(_ binding: PortBinding) -> String {
        HumanText.joined(host: binding.hostIP, port: binding.hostPort)
    }
}
