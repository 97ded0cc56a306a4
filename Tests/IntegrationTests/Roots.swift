import Foundation
import Testing

/// Root file systems as archives, made once in a test run.
enum Roots {
    private static let busyboxArchive: Result<TemporaryFile, any Error> = Result {
        let file = try TemporaryFile()
        let result = try Command(Programs.project + "/scripts/root-tar", "busybox", file.path).runToEnd()
        guard result.code == 0 else { throw Command.Failure(description: "\(result)") }
        // A static lives to the end of the process and is not released there.
        atexit { try? Roots.busyboxArchive.get().remove() }
        return file
    }

    /// A root of busybox alone: offline, in a third of a second.
    static func busybox() throws -> String { try busyboxArchive.get().path }

    /// A real Debian 12 root, where the cache has one or a mirror answers.
    static let debian: String? = {
        var command = Command(Programs.project + "/scripts/root-tar", "debian")
        let environment = ProcessInfo.processInfo.environment
        for name in ["HOME", "XDG_CACHE_HOME", "http_proxy", "https_proxy", "no_proxy"] {
            command.environment[name] = environment[name]
        }
        guard geteuid() == 0,
            let result = try? PrivateNetwork.leave({ try command.runToEnd(timeout: 900) }), result.code == 0
        else { return nil }
        return result.line
    }()
}
