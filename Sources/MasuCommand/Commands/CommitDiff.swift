import EngineAPIModel
import Flags
import JSON

extension ContainerCommands {
    private static let author = Flag.string(
        "author", short: "a", "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")")
    private static let change = Flag.list("change", short: "c", "Apply Dockerfile instruction to the created image")
    private static let message = Flag.string("message", short: "m", "Commit message")
    private static let pause = Flag.boolean("pause", short: "p", "Pause container during commit", default: true)
    private static let noPause = Flag.boolean("no-pause", "Disable pausing container during commit")

    static func commit(_ placement: Placement) -> Command {
        Command(
            "commit", operands: "CONTAINER [REPOSITORY[:TAG]]", arity: .between(1, 2),
            "Create a new image from a container's changes",
            examples: [
                .init(
                    "Make an image of a container that you set up by hand",
                    "masu commit -m 'with editor' --change 'CMD [\"vi\"]' box mine:2")
            ],
            spellings: ["masu container commit", "masu commit"], interspersed: false,
            flags: { [author, change, message, pause, noPause] },
            action: { invocation in
                let flags = invocation.flags
                if flags.isSet(pause), flags.isSet(noPause) {
                    throw CommandError("conflicting options: --no-pause and --pause cannot be used together")
                }
                var query: [(String, String?)] = [
                    ("container", invocation.operands[0]), ("author", flags.given(author)),
                    ("comment", flags.given(message)),
                    ("pause", flags[pause] && !flags[noPause] ? "1" : "0"),
                ]
                if let name = invocation.operands.dropFirst().first, !name.isEmpty {
                    try ImageText.check(name)
                    let (repository, tag) = ImageCommands.split(name)
                    query += [("repo", repository), ("tag", tag)]
                }
                for instruction in flags[change] { query.append(("changes", instruction)) }
                let answer = try DaemonClient(invocation).call(
                    HTTPRequest("POST", "/commit", query: query), as: IDResponse.self)
                try Console.print(answer.id)
                return 0
            })
    }

    static func diff(_ placement: Placement) -> Command {
        Command(
            "diff", operands: "CONTAINER", arity: .exactly(1),
            "Inspect changes to files or directories on a container's filesystem",
            discussion: "A means added, C changed, D deleted.",
            examples: [.init("List the files that a container has changed", "masu diff web")],
            spellings: ["masu container diff", "masu diff"],
            action: { invocation in
                let changes = try DaemonClient(invocation).call(
                    HTTPRequest("GET", path(invocation.operands[0], "/changes")), as: [FilesystemChange].self)
                try Console.write(changes.map { "\(letter($0.kind)) \(Console.cell($0.path))\n" }.joined())
                return 0
            })
    }

    private static func letter(_ kind: Int) -> String {
        switch kind {
        case 0: "C"
        case 1: "A"
        case 2: "D"
        default: "?"
        }
    }
}
