import Foundation
import Testing

/// Everything that needs root, a kernel and the built programs.
///
/// Each test starts a `masud` of its own on private roots (``TestDaemon``), drives it as a user would, and ends with
/// the check that nothing of it stays behind. The tests run one after another: what they compare is global to the
/// machine.
@Suite("integration", .serialized, .enabled(if: geteuid() == 0, "needs root"))
enum Integration {}

/// The programs under test and the others that are needed or nice to have.
enum Programs {
    /// Where `masu`, `masud` and the others lie: `MASU_BIN`, else beside the test program, where the same build left
    /// them.
    static let directory: String = {
        if let directory = ProcessInfo.processInfo.environment["MASU_BIN"] { return directory }
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: program).deletingLastPathComponent().path
    }()

    /// The tests can be tried on the reference: with `MASU_TEST_REFERENCE` set and wrappers of `docker` and `dockerd`
    /// as `masu` and `masud` in `MASU_BIN`, they say whether they ask for what Docker does. What is ours alone is not
    /// looked at then.
    static let isReference = ProcessInfo.processInfo.environment["MASU_TEST_REFERENCE"] != nil

    static let masu = directory + "/masu"
    static let masud = directory + "/masud"
    static let runtime = directory + "/masu-runtime"

    /// The checkout: this file lies in Tests/IntegrationTests.
    static let project = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The real `docker` command line, if it is on the machine and new enough to speak of containers as we do.
    static let docker: String? = {
        guard let path = find("docker"),
            let version = try? Command(path, "--version").runToEnd(),
            let major = version.output.split(separator: " ").dropFirst(2).first?.split(separator: ".").first,
            (Int(major) ?? 0) >= 23
        else { return nil }
        return path
    }()

    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return (path + ":/usr/sbin:/sbin").split(separator: ":").map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }
}

/// The two command lines that drive the daemon; most tests run with both.
enum Client: String, CaseIterable, CustomTestStringConvertible {
    case masu
    case docker

    /// `masu`, and `docker` where it is installed.
    static let available: [Client] = Programs.docker == nil ? [.masu] : [.masu, .docker]

    var testDescription: String { rawValue }

    var path: String {
        switch self {
        case .masu: Programs.masu
        case .docker: Programs.docker ?? "/nonexistent/docker"
        }
    }
}
