import Base64
import EngineAPIModel
import Flags
import Glibc
import JSON
import LinuxKernel
import SystemPackage
import Tar

extension ContainerCommands {
    private static let archive = Flag.boolean("archive", short: "a", "Archive mode (copy all uid/gid information)")
    private static let followLink = Flag.boolean("follow-link", short: "L", "Always follow symlinks in SRC_PATH")
    private static let quietCopy = Flag.boolean("quiet", short: "q", "Suppress progress output during copy")

    static func copy(_ placement: Placement) -> Command {
        Command(
            "cp", operands: "CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH", arity: .exactly(2),
            "Copy files/folders between a container and the local filesystem",
            discussion: """
                Use '-' as the source to read a tar archive from stdin and extract it to a directory destination in a \
                container. Use '-' as the destination to stream a tar archive of a container source to stdout.
                """,
            examples: [
                .init("Copy a file into a container", "masu cp site.conf web:/etc/nginx/conf.d/"),
                .init("Copy the contents of a directory from a container", "masu cp web:/var/log/. logs"),
            ],
            spellings: ["masu container cp", "masu cp"], flags: { [archive, followLink, quietCopy] },
            action: { invocation in
                let (source, destination) = (invocation.operands[0], invocation.operands[1])
                if source.isEmpty { throw CommandError("source can not be empty") }
                if destination.isEmpty { throw CommandError("destination can not be empty") }
                let flags = invocation.flags
                var copy = ContainerCopy(client: try DaemonClient(invocation))
                copy.followsLink = flags[followLink]
                copy.givesToUser = flags[archive]
                copy.isQuiet = flags.isSet(quietCopy) ? flags[quietCopy] : !Terminal.isTerminal(STDOUT_FILENO)
                switch (CopyOperand(source), CopyOperand(destination)) {
                case (.container(let name, let path), .local(let target)):
                    try copy.out(of: name, path, to: target)
                case (.local(let path), .container(let name, let target)):
                    try copy.into(name, target, from: path)
                case (.container, .container): throw CommandError("copying between containers is not supported")
                case (.local, .local): throw CommandError("must specify at least one container source")
                }
                return 0
            })
    }
}

/// One side of a copy.
enum CopyOperand: Equatable {
    case local(String)
    case container(String, path: String)

    /// `container:path`; what begins with a slash or a dot is of this machine, whatever follows.
    init(_ text: String) {
        guard !text.hasPrefix("/"), !text.hasPrefix("."), let colon = text.firstIndex(of: ":"), colon != text.startIndex
        else {
            self = .local(text)
            return
        }
        self = .container(String(text[..<colon]), path: String(text[text.index(after: colon)...]))
    }
}

/// A path whose end tells what to copy: `dir` is the directory itself, `dir/.` its contents.
package struct CopyPath: Equatable {
    /// Without `.` and `..`.
    package let clean: String
    /// Whether the contents of a directory are meant: the path is `.` or ends with `/.`.
    package let isContents: Bool
    /// Whether it ends with a slash or `/.`.
    package let assertsDirectory: Bool

    /// Reads a path as the user wrote it.
    package init(_ text: String) {
        isContents = text == "." || text.hasSuffix("/.")
        assertsDirectory = isContents || text.hasSuffix("/")
        clean = Self.cleaned(LocalFile.absolute(text))
    }

    /// The directory to unpack in and the name there, as Docker divides a path.
    package var directory: String { isContents ? clean : Self.parent(clean) }
    /// The name in ``directory``; `.` for its contents.
    package var base: String { isContents ? "." : Self.name(clean) }

    private static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    static func parent(_ path: String) -> String { "/" + path.split(separator: "/").dropLast().joined(separator: "/") }
    static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? "/" }
}

/// Where a copy goes: what the entry at the top of the archive is called and in which directory it is unpacked.
package struct CopyTarget: Equatable {
    /// The directory to unpack in.
    package let directory: String
    /// nil: as in the source.
    package let name: String?

    /// Docker's rules for the destination of `cp`.
    ///
    /// - Parameters:
    ///   - exists: nil if the destination does not exist; otherwise whether it is a directory.
    ///   - sourceIsDirectory: whether the source is a directory.
    package init(
        _ path: CopyPath, exists: Bool?, sourceIsDirectory: Bool
    ) throws(CommandError) {
        switch (exists, sourceIsDirectory) {
        case (true?, _): (directory, name) = (path.clean, nil)
        case (false?, true): throw CommandError("cannot copy directory")
        case (nil, false) where path.assertsDirectory: throw CommandError("no such directory")
        default: (directory, name) = (path.directory, path.base)
        }
    }
}

/// `masu cp`, one way or the other.
struct ContainerCopy {
    let client: DaemonClient
    var followsLink = false
    var givesToUser = false
    var isQuiet = false

    // MARK: Out of a container

    func out(of container: String, _ path: String, to target: String) throws {
        if target != "-" { try LocalFile.checkOutput(target) }
        var source = path
        var sourceName: String?
        if followsLink, let status = try status(container, path), status.isLink {
            // The archive has the name of the link's target; the copy keeps the link's name.
            source = CopyPath(path).isContents ? status.linkTarget + "/." : status.linkTarget
            sourceName = CopyPath(path).base
        }
        let response = try client.open(
            HTTPRequest("GET", ContainerCommands.path(container, "/archive"), query: [("path", source)]))
        guard target != "-" else {
            while let piece = try response.next() {
                try piece.withUnsafeBytes { try Console.pass($0, to: STDOUT_FILENO) }
            }
            return
        }
        guard let text = response.head["x-docker-container-path-stat"], let status = ContainerPathStat(header: text)
        else { throw CommandError("the daemon's answer has no X-Docker-Container-Path-Stat header") }
        let destination = Self.followed(target)
        let place = try CopyTarget(
            CopyPath(destination), exists: Self.isDirectory(destination), sourceIsDirectory: status.isDirectory)
        let oldName = status.isDirectory && CopyPath("/" + source).isContents ? "." : CopyPath.name(status.name)
        let body = ResponseSource(response)
        var options = LayerApplier.Options()
        options.ownership = .process
        options.replacesDirectories = false
        options.isContested = true
        if let newName = place.name ?? sourceName, newName != oldName {
            let (from, to) = (Array(oldName.utf8), Array(newName.utf8))
            options.transform = { entry in
                entry.name = Self.renamed(entry.name, from, to)
                if entry.kind == .hardLink { entry.linkName = Self.renamed(entry.linkName, from, to) }
            }
        }
        do {
            let archive = TarReader(body)
            var applier = try LayerApplier(into: FilePath(place.directory), whiteouts: .literal, options: options)
            _ = try applier.apply(archive)
            try archive.drain()
        } catch {
            throw body.failure ?? CommandError(error.description)
        }
        tell(body.count, target)
    }

    /// A name whose first component is replaced; the root's own name is empty.
    static func renamed(_ name: [UInt8], _ old: [UInt8], _ new: [UInt8]) -> [UInt8] {
        let old = old == Array("/".utf8) ? [] : old
        guard name.starts(with: old) else { return name }
        let rest = name.dropFirst(old.count)
        guard rest.isEmpty || rest.first == UInt8(ascii: "/") else { return name }
        return new + rest
    }

    // MARK: Into a container

    func into(_ container: String, _ path: String, from source: String) throws {
        var target = path.hasPrefix("/") ? path : "/" + path
        var exists: Bool?
        if let found = try status(container, target) {
            var status: ContainerPathStat? = found
            if found.isLink {
                target = found.linkTarget
                status = try self.status(container, target)
            }
            if let status {
                try status.checkIsTarget("\(container):\(path)")
                exists = status.isDirectory
            }
        }
        if source == "-" {
            guard exists == true else { throw CommandError("destination \"\(container):\(path)\" must be a directory") }
            return try put(container, target, from: STDIN_FILENO)
        }
        let local = try LocalSource(source, followsLink: followsLink)
        let place = try CopyTarget(
            CopyPath(target), exists: exists, sourceIsDirectory: local.isDirectory)
        let name = place.name ?? local.name
        // The daemon may refuse early and read no more.
        signal(SIGPIPE, SIG_IGN)
        let (reading, writing) = try FileDescriptor.makePipe()
        defer { reading.discard() }
        let writer = try JoinableThread(name: "cp") { () throws -> Int64 in
            defer { writing.discard() }
            let sink = DescriptorSink(writing)
            let archiver = TreeArchiver { (bytes: UnsafeRawBufferPointer) throws(ArchiveError) in
                try sink.write(bytes)
            }
            try local.add(to: archiver, as: name)
            try archiver.finish()
            try sink.flush()
            return sink.count
        }
        do {
            try put(container, place.directory, from: reading.rawValue)
        } catch {
            reading.discard()
            throw error
        }
        do {
            tell(try writer.join(), "\(container):\(path)")
        } catch let error as ArchiveError {
            throw CommandError(error.description)
        }
    }

    private func put(_ container: String, _ directory: String, from descriptor: Int32) throws {
        let response = try client.upload(
            HTTPRequest(
                "PUT", ContainerCommands.path(container, "/archive"),
                query: [
                    ("path", directory), ("noOverwriteDirNonDir", "true"), ("copyUIDGID", givesToUser ? "true" : nil),
                ]), from: descriptor)
        _ = try response.readAll()
    }

    // MARK: Both

    private func status(_ container: String, _ path: String) throws -> ContainerPathStat? {
        let head = try client.head(
            HTTPRequest("HEAD", ContainerCommands.path(container, "/archive"), query: [("path", path)]))
        guard head.status < 400, let text = head["x-docker-container-path-stat"] else { return nil }
        return ContainerPathStat(header: text)
    }

    private func tell(_ bytes: Int64, _ target: String) {
        guard !isQuiet else { return }
        Console.complain("Successfully copied \(HumanText.size(Double(bytes))) to \(target)")
    }

    /// Whether a path of this machine is a directory; nil if nothing is there.
    private static func isDirectory(_ path: String) -> Bool? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// A destination that is a link is what the link leads to, also if nothing is there yet.
    private static func followed(_ path: String) -> String {
        var path = path
        for _ in 0..<40 {
            guard let target = try? FileDescriptor.workingDirectory.readSymlink(path) else { return path }  // no link
            path = target.hasPrefix("/") ? target : CopyPath.parent(LocalFile.absolute(path)) + "/" + target
        }
        return path
    }
}

/// A file or directory of this machine that is copied into a container.
private struct LocalSource: Sendable {
    let name: String
    let isDirectory: Bool
    private let path: String

    init(_ text: String, followsLink: Bool) throws(CommandError) {
        let asked = CopyPath(text)
        name = asked.base
        var status = stat()
        // A slash at the end follows a link as well.
        let follows = followsLink || asked.assertsDirectory
        let result = follows ? stat(asked.clean, &status) : lstat(asked.clean, &status)
        guard result == 0 else { throw CommandError("lstat \(asked.clean): \(Console.words(errno))") }
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        if asked.assertsDirectory, !isDirectory { throw CommandError("lstat \(text): not a directory") }
        guard follows, let real = realpath(asked.clean, nil) else {
            path = asked.clean
            return
        }
        defer { free(real) }
        path = String(cString: real)
    }

    func add(to archiver: TreeArchiver, as name: String) throws {
        guard isDirectory else {
            let parent = try FileDescriptor.workingDirectory.open(CopyPath.parent(path), [.directory])
            defer { parent.discard() }
            return try archiver.add(Array(CopyPath.name(path).utf8), in: parent, as: Array(name.utf8))
        }
        let directory = try FileDescriptor.workingDirectory.open(path, [.directory])
        defer { directory.discard() }
        try archiver.add(contentsOf: directory, as: name == "/" ? [] : Array(name.utf8))
    }
}

/// The body of an answer as an archive's bytes.
private final class ResponseSource: ByteSource {
    private let response: HTTPResponse
    private var piece: ArraySlice<UInt8> = []
    /// Bytes read.
    private(set) var count: Int64 = 0
    /// Why reading stopped, if the connection was the reason.
    private(set) var failure: CommandError?

    init(_ response: HTTPResponse) { self.response = response }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        if piece.isEmpty {
            do throws(CommandError) {
                piece = try response.next() ?? []
            } catch {
                failure = error
                throw .truncated
            }
        }
        let taken = piece.prefix(buffer.count)
        buffer.copyBytes(from: taken)
        piece = piece.dropFirst(taken.count)
        count += Int64(taken.count)
        return taken.count
    }
}

extension ContainerPathStat {
    /// Reads the header's base 64.
    init?(header text: String) {
        guard let bytes = Base64.decode(text), let stat = try? JSON.decode(Self.self, from: bytes) else {
            return nil  // not what a daemon sends
        }
        self = stat
    }

    var isDirectory: Bool { mode & 1 << 31 != 0 }
    var isLink: Bool { mode & 1 << 27 != 0 }

    /// Refuses to copy onto a device, a socket or a pipe.
    fileprivate func checkIsTarget(_ name: String) throws(CommandError) {
        let what: String
        if mode & 1 << 26 != 0 {
            what = "got a device"
        } else if mode & (1 << 25 | 1 << 24) != 0 {
            what = "got an irregular file"
        } else {
            return
        }
        throw CommandError("destination \"\(name)\" must be a directory or a regular file: \(what)")
    }
}
