import EngineAPIModel
import Flags
import Glibc
import JSON
import Text

/// The commands about images.
enum ImageCommands {
    /// The path of an image's resource; a reference's slashes stay.
    static func path(_ name: String, _ rest: String = "") -> String {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.encode($0) }
        return "/images/" + parts.joined(separator: "/") + rest
    }

    static func tag(_ placement: Placement) -> Command {
        Command(
            "tag", operands: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", arity: .exactly(2),
            "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
            examples: [.init("Give an image a second name", "masu tag debian:bookworm registry.example.org/base:1")],
            spellings: ["masu image tag", "masu tag"],
            action: { invocation in
                let target = invocation.operands[1]
                do {
                    try ImageText.check(target)
                } catch let error as CommandError {
                    throw CommandError(
                        "Error parsing reference: \"\(target)\" is not a valid repository/tag: \(error.message)")
                }
                let (repository, tag) = split(target)
                guard !target.contains("@") else {
                    throw CommandError("refusing to create a tag with a digest reference")
                }
                try DaemonClient(invocation).call(
                    HTTPRequest(
                        "POST", path(invocation.operands[0], "/tag"), query: [("repo", repository), ("tag", tag)]))
                return 0
            })
    }

    /// `name:tag` in two; without a tag, `latest`.
    static func split(_ reference: String) -> (repository: String, tag: String) {
        let start = reference.lastIndex(of: "/") ?? reference.startIndex
        guard let colon = reference[start...].lastIndex(of: ":") else { return (reference, "latest") }
        return (String(reference[..<colon]), String(reference[reference.index(after: colon)...]))
    }

    private static let force = Flag.boolean("force", short: "f", "Force removal of the image")
    private static let noPrune = Flag.boolean("no-prune", "Do not delete untagged parents")

    private static let removedPlatforms = Flag.list(
        "platform",
        "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")")

    static func remove(_ placement: Placement) -> Command {
        Command(
            placement == .grouped ? "rm" : "rmi", aliases: placement == .grouped ? ["remove"] : [],
            operands: "IMAGE [IMAGE...]", arity: .atLeast(1), "Remove one or more images",
            examples: [.init("Remove a name, and the image if it was the last name", "masu rmi debian:bookworm")],
            spellings: ["masu image rm", "masu image remove", "masu rmi"],
            flags: { [force, noPrune, removedPlatforms] },
            action: { invocation in
                let client = try DaemonClient(invocation)
                let flags = invocation.flags
                let platforms = try PlatformText.encoded(list: flags[removedPlatforms])
                var status: Int32 = 0
                var lines = ResultLines()
                for image in invocation.operands {
                    do {
                        var request = HTTPRequest(
                            "DELETE", path(image),
                            query: [("force", flags[force] ? "1" : nil), ("noprune", flags[noPrune] ? "1" : nil)])
                        for platform in platforms { request.query.append(("platforms", platform)) }
                        let deletions = try client.call(request, as: [ImageDeletion].self)
                        for deletion in deletions {
                            lines.print(
                                deletion.deleted.isEmpty
                                    ? "Untagged: \(deletion.untagged)" : "Deleted: \(deletion.deleted)")
                        }
                    } catch let error as DaemonError {
                        Console.complain(error.description)
                        if !(flags[force] && error.httpStatus == 404) { status = 1 }
                    }
                }
                try lines.finish()
                return status
            })
    }

    private static let change = Flag.list("change", short: "c", "Apply Dockerfile instruction to the created image")
    private static let message = Flag.string("message", short: "m", "Set commit message for imported image")
    private static let platform = Flag.string("platform", "Set platform if server is multi-platform capable")

    static func importImage(_ placement: Placement) -> Command {
        Command(
            "import", operands: "file|URL|- [REPOSITORY[:TAG]]", arity: .atLeast(1),
            "Import the contents from a tarball to create a filesystem image",
            discussion: """
                Make an image with one layer from a tar archive of a root file system. The archive is a file of this \
                machine, - for standard input, or a URL that the daemon fetches.
                """,
            examples: [
                .init(
                    "Import a Debian made by debootstrap",
                    "debootstrap bookworm root && tar -C root -c . | masu import - debian:bookworm")
            ],
            spellings: ["masu image import", "masu import"], flags: { [change, message, platform] },
            action: { invocation in
                let flags = invocation.flags
                let source = invocation.operands[0]
                let isRemote = source.hasPrefix("http://") || source.hasPrefix("https://")
                var request = HTTPRequest(
                    "POST", "/images/create",
                    query: [
                        ("fromSrc", isRemote ? source : "-"), ("repo", invocation.operands.dropFirst().first),
                        ("message", flags.given(message)), ("platform", flags.given(platform)),
                    ])
                for instruction in flags[change] { request.query.append(("changes", instruction)) }
                let client = try DaemonClient(invocation)
                let response: HTTPResponse
                if isRemote {
                    response = try client.open(request)
                } else {
                    let descriptor = source == "-" ? STDIN_FILENO : try LocalFile.open(source)
                    if source == "-", Terminal.isTerminal(descriptor) {
                        throw CommandError("cannot read an archive from a terminal; give a file, or pipe one in")
                    }
                    defer { if source != "-" { close(descriptor) } }
                    response = try client.upload(request, from: descriptor)
                }
                try ProgressPrinter(descriptor: STDOUT_FILENO).print(response)
                return 0
            })
    }

    private static let input = Flag.string("input", short: "i", "Read from tar archive file, instead of STDIN")
    private static let quietLoad = Flag.boolean("quiet", short: "q", "Suppress the load output")

    private static let loadedPlatforms = Flag.list(
        "platform", type: "strings",
        "Load only the given platform(s). Formatted as a comma-separated list of \"os[/arch[/variant]]\"")

    static func load(_ placement: Placement) -> Command {
        Command(
            "load", "Load an image from a tar archive or STDIN",
            discussion: """
                Load images from an archive made by 'docker save', or from an OCI layout in an archive, compressed \
                or not.
                """,
            examples: [.init("Load images from a stick", "masu load -i /media/stick/images.tar.gz")],
            spellings: ["masu image load", "masu load"], flags: { [input, quietLoad, loadedPlatforms] },
            action: { invocation in
                let flags = invocation.flags
                let path = flags[input]
                let descriptor = path.isEmpty ? STDIN_FILENO : try LocalFile.open(path)
                defer { if !path.isEmpty { close(descriptor) } }
                if path.isEmpty, Terminal.isTerminal(descriptor) {
                    throw CommandError("requested load from stdin, but stdin is empty")
                }
                let isQuiet = flags[quietLoad] || !Terminal.isTerminal(STDOUT_FILENO)
                var request = HTTPRequest("POST", "/images/load", query: [("quiet", isQuiet ? "1" : "0")])
                for chosen in try PlatformText.encoded(list: flags[loadedPlatforms]) {
                    request.query.append(("platform", chosen))
                }
                let response = try DaemonClient(invocation).upload(request, from: descriptor)
                try ProgressPrinter(descriptor: STDOUT_FILENO, isQuiet: false).print(response)
                return 0
            })
    }
}
