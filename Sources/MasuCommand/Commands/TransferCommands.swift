import EngineAPIModel
import Flags
import Glibc
import JSON

extension ImageCommands {
    private static let allTags = Flag.boolean("all-tags", short: "a", "Download all tagged images in the repository")
    private static let pushedTags = Flag.boolean("all-tags", short: "a", "Push all tags of an image to the repository")
    private static let quiet = Flag.boolean("quiet", short: "q", "Suppress verbose output")
    private static let platform = Flag.string("platform", "Set platform if server is multi-platform capable")

    static func pull(_ placement: Placement) -> Command {
        Command(
            "pull", operands: "NAME[:TAG|@DIGEST]", arity: .exactly(1), "Download an image from a registry",
            examples: [
                .init("Pull the image for this machine's platform", "masu pull debian:bookworm"),
                .init("Pull from another registry, by digest", "masu pull registry.example.org:5000/team/app@sha256:…"),
            ],
            spellings: ["masu image pull", "masu pull"], group: placement.heading,
            flags: { [allTags, platform, quiet, ContentTrust.isDisabled] },
            action: { invocation in
                let flags = invocation.flags
                let image = invocation.operands[0]
                try ContentTrust.check(flags)
                try ImageText.check(image)
                let isNameOnly = ImageText.familiar(image) != image
                if flags[allTags], !isNameOnly { throw CommandError("tag can't be used with --all-tags/-a") }
                var name = image
                if !flags[allTags] {
                    name = ImageText.familiar(image)
                    if isNameOnly, !flags[quiet] { try Console.print("Using default tag: latest") }
                }
                try RegistryAccess.pull(
                    name, tag: nil, platform: PlatformText.chosen(platform, flags),
                    client: try DaemonClient(invocation),
                    isQuiet: flags[quiet], on: STDOUT_FILENO)
                try Console.print(RegistryAccess.canonical(name))
                return 0
            })
    }

    static func push(_ placement: Placement) -> Command {
        Command(
            "push", operands: "NAME[:TAG]", arity: .exactly(1), "Upload an image to a registry",
            examples: [
                .init(
                    "Push to another registry",
                    "masu tag app registry.example.org:5000/team/app && masu push registry.example.org:5000/team/app")
            ],
            spellings: ["masu image push", "masu push"], group: placement.heading,
            flags: { [pushedTags, platform, quiet, ContentTrust.isDisabled] },
            action: { invocation in
                let flags = invocation.flags
                var image = invocation.operands[0]
                try ContentTrust.check(flags)
                try ImageText.check(image)
                guard !image.contains("@") else { throw CommandError("cannot push a digest reference") }
                let isNameOnly = ImageText.familiar(image) != image
                if flags[pushedTags], !isNameOnly { throw CommandError("tag can't be used with --all-tags/-a") }
                var tag: String?
                if !flags[pushedTags] {
                    let parts = split(image)
                    (image, tag) = (parts.repository, parts.tag)
                    if isNameOnly, !flags[quiet] { try Console.print("Using default tag: latest") }
                }
                var request = HTTPRequest("POST", path(image, "/push"), query: [("tag", tag)])
                // Docker's daemon wants the header, even without credentials.
                request.headers.append(try RegistryAccess.header(for: image) ?? ("X-Registry-Auth", "e30="))
                try ProgressPrinter(descriptor: STDOUT_FILENO, isQuiet: flags[quiet]).print(
                    try DaemonClient(invocation).open(request))
                if flags[quiet] { try Console.print(RegistryAccess.canonical(tag.map { "\(image):\($0)" } ?? image)) }
                return 0
            })
    }
}
