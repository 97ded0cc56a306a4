import EngineAPIModel
import Flags
import JSON

extension ContainerCommands {
    private static let publishAdd = Flag.list("publish-add", "Publish a container's port(s) to the host")
    private static let publishRm = Flag.list("publish-rm", "Stop publishing a container's port(s) to the host")

    static func update(_ placement: Placement) -> Command {
        Command(
            "update", operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1),
            "Update configuration of one or more containers",
            discussion: """
                Ports are written as for "run --publish". To stop publishing a port, name the container's port alone
                for all its places on the host, or with the port and the address of the host for one of them. Either
                everything is changed or nothing.
                """,
            examples: [
                .init("Publish one more port of a container that runs", "masu update --publish-add 8443:443 web"),
                .init(
                    "Let a port of the host lead to another port of the container",
                    "masu update --publish-rm 8080:80 --publish-add 8080:8000 web"),
            ],
            spellings: ["masu container update", "masu update"], flags: { [publishAdd, publishRm] },
            action: { invocation in
                let flags = invocation.flags
                var request = ContainerUpdateRequest()
                request.publishAdd = try bindings(flags[publishAdd])
                request.publishRm = try bindings(flags[publishRm])
                if request.publishAdd == nil, request.publishRm == nil {
                    throw CommandError("you must provide one or more flags when using this command")
                }
                let client = try DaemonClient(invocation)
                return try each(invocation.operands) { name in
                    try client.call(HTTPRequest("POST", path(name, "/update"), body: try JSON.encode(request)))
                    return name
                }
            })
    }

    private static func bindings(_ texts: [String]) throws(CommandError) -> [String: [PortBinding]?]? {
        var ports: [PortSpecification] = []
        for text in texts { ports += try PortSpecification.parse(text) }
        return ports.isEmpty ? nil : PortSpecification.bindings(ports)
    }
}
