import EngineAPIModel
import Flags
import JSON
import Text

/// `masu checkpoint`: containers that are frozen to files and go on later.
enum ContainerCheckpoints {
    static var all: [Command] { [create, list, remove] }

    static let directory = Flag.string("checkpoint-dir", "Use a custom checkpoint storage directory")
    private static let leaveRunning = Flag.boolean(
        "leave-running", "Leave the container running after checkpoint")

    private static let create = Command(
        "create", operands: "CONTAINER CHECKPOINT", arity: .exactly(2),
        "Create a checkpoint from a running container",
        examples: [.init("Freeze a container to files", "masu checkpoint create web before-update")],
        flags: { [directory, leaveRunning] },
        action: { invocation in
            let (container, name) = (invocation.operands[0], invocation.operands[1])
            var request = JSONObject()
            request["CheckpointID"] = .string(name)
            request["CheckpointDir"] = .string(invocation.flags[directory])
            request["Exit"] = .bool(!invocation.flags[leaveRunning])
            try DaemonClient(invocation).call(
                HTTPRequest(
                    "POST", ContainerCommands.path(container, "/checkpoints"),
                    body: JSONValue.object(request).serialized()))
            try Console.print(name)
            return 0
        })

    private static let list = Command(
        "ls", aliases: ["list"], operands: "CONTAINER", arity: .exactly(1), "List checkpoints for a container",
        spellings: ["masu checkpoint ls", "masu checkpoint list"], flags: { [directory] },
        action: { invocation in
            let answer = try DaemonClient(invocation).value(
                HTTPRequest(
                    "GET", ContainerCommands.path(invocation.operands[0], "/checkpoints"),
                    query: [("dir", invocation.flags.given(directory))]))
            let rows = (answer.array ?? []).map { checkpoint in
                var values = JSONObject()
                values["Name"] = checkpoint["Name"] ?? ""
                return Listing.Row(values)
            }
            let listing = Listing(columns: [.init("Name", "CHECKPOINT NAME")], defaultTable: "{{.Name}}")
            try Console.write(listing.rendered(rows, format: ""))
            return 0
        })

    private static let remove = Command(
        "rm", aliases: ["remove"], operands: "CONTAINER CHECKPOINT", arity: .exactly(2), "Remove a checkpoint",
        spellings: ["masu checkpoint rm", "masu checkpoint remove"], flags: { [directory] },
        action: { invocation in
            let name = PercentEncoding.encode(invocation.operands[1])
            try DaemonClient(invocation).call(
                HTTPRequest(
                    "DELETE", ContainerCommands.path(invocation.operands[0], "/checkpoints/\(name)"),
                    query: [("dir", invocation.flags.given(directory))]))
            return 0
        })
}
