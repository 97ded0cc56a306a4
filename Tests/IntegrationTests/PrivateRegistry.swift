import Foundation
import Testing

/// A registry on a port of its own, which ends with the test. Its files lie with the daemon's, whose guardian takes all
/// away.
final class PrivateRegistry {
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        /// Ours.
        case masu = "masu-registry"
        /// The reference, Debian's.
        case distribution = "docker-registry"

        static let available: [Kind] = allCases.filter { $0 == .masu || Programs.find($0.rawValue) != nil }

        var testDescription: String { rawValue }
    }

    let kind: Kind
    let port: UInt16
    private let root: String
    private let options: [String]
    private var process: RunningCommand?

    /// What image names begin with.
    var domain: String { "127.0.0.1:\(port)" }

    /// Starts one; returns when it answers.
    init(_ kind: Kind = .masu, beside daemon: TestDaemon, options: [String] = []) throws {
        self.kind = kind
        self.options = options
        port = try LocalPort.free()
        root = daemon.root + "/registry-\(port)"
        mkdir(root, 0o700)
        try start()
    }

    /// Starts it, the first time or again.
    func start() throws {
        let command: Command
        switch kind {
        case .masu:
            command = Command(
                Programs.directory + "/masu-registry", ["--root", root, "--listen", domain] + options)
        case .distribution:
            let file = root + "/config.yml"
            try """
            version: 0.1
            storage: {filesystem: {rootdirectory: \(root)/store}}
            http: {addr: "\(domain)"}
            log: {level: error}
            """.write(toFile: file, atomically: true, encoding: .utf8)
            command = Command(try #require(Programs.find(kind.rawValue)), "serve", file)
        }
        let process = try command.start()
        self.process = process
        let curl = try #require(Programs.find("curl"), "curl is not installed")
        let answers = try eventually {
            if process.hasEnded { return true }
            return try Command(curl, "-s", "-o", "/dev/null", "http://\(domain)/v2/").runToEnd().code == 0
        }
        guard answers, !process.hasEnded else {
            throw Command.Failure(description: "\(kind.rawValue) does not answer: \(process.errors.text.suffix(2000))")
        }
    }

    /// `kill -9`, as a crash would.
    func crash() throws {
        process?.send(SIGKILL)
        _ = try process?.waitForEnd()
        process = nil
    }

    /// The digest that skopeo sees under a name of this registry, or that curl does.
    func digest(_ repository: String, _ tag: String) throws -> String {
        let curl = try #require(Programs.find("curl"), "curl is not installed")
        let head = try Command(
            curl, "-sI", "-H", "Accept: application/vnd.oci.image.manifest.v1+json", "-H",
            "Accept: application/vnd.docker.distribution.manifest.v2+json",
            "http://\(domain)/v2/\(repository)/manifests/\(tag)"
        ).runToEnd().output
        let line = head.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix("docker-content-digest:") }
        return try #require(line.map { String($0.split(separator: " ")[1]) }, "\(head)")
    }
}
