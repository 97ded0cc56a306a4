import Foundation
import Glibc
import JSON
import LinuxKernel
import Netlink
import SystemPackage
import Testing

/// Whether tests may make network namespaces.
let mayMakeNamespaces = geteuid() == 0

extension Trait where Self == ConditionTrait {
    /// For tests against the kernel.
    static var needsNamespaces: ConditionTrait {
        .enabled(if: mayMakeNamespaces, "needs root: makes network namespaces")
    }
}

/// A network namespace of a test's own, gone with the test.
final class TestNamespace: Sendable {
    let descriptor: FileDescriptor

    init() throws {
        descriptor = try NetworkNamespace.make {}.namespace
    }

    deinit { descriptor.discard() }

    func route() throws -> RouteSocket { try RouteSocket.opened(in: descriptor) }

    /// What a program prints that is run in the namespace; `nil` if it is not installed.
    func output(of program: String, _ arguments: [String]) throws -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/sbin"
        let candidates = path.split(separator: ":").map { "\($0)/\(program)" }
        guard let file = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            return nil
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
        process.arguments = ["--net=/proc/\(getpid())/fd/\(descriptor.rawValue)", file] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        if process.terminationStatus != 0 { Issue.record("\(program) \(arguments): \(text)") }
        return text
    }

    /// What ip(8) prints as JSON; nothing if it is not installed.
    func ip(_ arguments: String...) throws -> [JSONValue]? {
        try output(of: "ip", ["-j", "-d"] + arguments).map { try JSON.parse($0).array ?? [] }
    }
}
