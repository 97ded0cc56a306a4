import Flags
import Glibc

/// Archives out of the daemon: to a file, or to standard output unless that is a terminal.
struct ArchiveDownload {
    static let output = Flag.string("output", short: "o", "Write to a file, instead of STDOUT")

    /// The file, or nil for standard output.
    private let path: String?

    /// - Throws: ``CommandError`` if there is nowhere to write.
    init(_ invocation: Invocation) throws(CommandError) {
        path = invocation.flags.given(Self.output).flatMap { $0.isEmpty ? nil : $0 }
        guard let path else {
            guard !Terminal.isTerminal(STDOUT_FILENO) else {
                throw CommandError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
            }
            return
        }
        try LocalFile.checkOutput(path)
    }

    /// Writes the answer's body. A file appears, or changes, only when all of it is there.
    func run(_ request: HTTPRequest, _ client: DaemonClient) throws {
        let response = try client.open(request)
        guard let path else { return try copy(response, to: STDOUT_FILENO, "/dev/stdout") }
        let temporary = path + ".part-\(getpid())"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw CommandError("open \(temporary): \(Console.words(errno))") }
        do {
            try copy(response, to: file, path)
            guard close(file) == 0 else { throw CommandError("close \(path): \(Console.words(errno))") }
            guard rename(temporary, path) == 0 else { throw CommandError("rename \(path): \(Console.words(errno))") }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private func copy(_ response: HTTPResponse, to descriptor: Int32, _ name: String) throws(CommandError) {
        while let piece = try response.next() {
            guard piece.withUnsafeBytes({ Console.writeAll($0, to: descriptor) }) else {
                throw CommandError("write \(name): \(Console.words(errno))")
            }
        }
    }
}

extension LocalFile {
    /// Refuses a path that nothing can be written to, with docker's words.
    static func checkOutput(_ path: String) throws(CommandError) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let parent = parts.dropLast().joined(separator: "/")
        let directory = path.hasPrefix("/") ? "/" + parent : parent.isEmpty ? "." : parent
        var status = stat()
        if stat(directory, &status) != 0, errno == ENOENT {
            throw CommandError("invalid output path: directory \"\(directory)\" does not exist")
        }
        guard stat(path, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFREG, S_IFDIR: return
        case S_IFCHR, S_IFBLK:
            throw CommandError(
                "invalid output path: \"\(path)\" must be a directory or a regular file: got a device")
        default:
            throw CommandError(
                "invalid output path: \"\(path)\" must be a directory or a regular file: got an irregular file")
        }
    }
}

extension ImageCommands {
    private static let savePlatform = Flag.list(
        "platform",
        "Save only the given platform(s). Formatted as a comma-separated list of \"os[/arch[/variant]]\" "
            + "(e.g., \"linux/amd64,linux/arm64/v8\")")

    static func save(_ placement: Placement) -> Command {
        Command(
            "save", operands: "IMAGE [IMAGE...]", arity: .atLeast(1),
            "Save one or more images to a tar archive (streamed to STDOUT by default)",
            discussion: """
                The archive is both an archive for 'docker load' and an OCI image layout. A name without a tag means \
                all tags of its repository.
                """,
            examples: [
                .init("Save images to a stick", "masu save -o /media/stick/images.tar debian:bookworm nginx"),
                .init("Send an image to another machine", "masu save web:2 | ssh other masu load"),
            ],
            spellings: ["masu image save", "masu save"], flags: { [ArchiveDownload.output, savePlatform] },
            action: { invocation in
                let download = try ArchiveDownload(invocation)
                var request = HTTPRequest("GET", "/images/get")
                for image in invocation.operands { request.query.append(("names", image)) }
                for platform in try PlatformText.encoded(list: invocation.flags[savePlatform]) {
                    request.query.append(("platform", platform))
                }
                try download.run(request, try DaemonClient(invocation))
                return 0
            })
    }
}

extension ContainerCommands {
    static func export(_ placement: Placement) -> Command {
        Command(
            "export", operands: "CONTAINER", arity: .exactly(1), "Export a container's filesystem as a tar archive",
            examples: [.init("Save the files of a container", "masu export -o web.tar web")],
            spellings: ["masu container export", "masu export"], flags: { [ArchiveDownload.output] },
            action: { invocation in
                let download = try ArchiveDownload(invocation)
                try download.run(
                    HTTPRequest("GET", path(invocation.operands[0], "/export")), try DaemonClient(invocation))
                return 0
            })
    }
}
