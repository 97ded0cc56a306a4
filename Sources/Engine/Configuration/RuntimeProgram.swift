import Glibc
import LinuxKernel
import SystemPackage

/// An external OCI runtime (`--add-runtime`).
package struct RuntimeProgram: Hashable, Sendable, Codable {
    /// A path, or a name to look for in `PATH`.
    package var path: String
    /// What stands before each command.
    package var arguments: [String]

    /// A program and its arguments.
    package init(path: String, arguments: [String] = []) {
        self.path = path
        self.arguments = arguments
    }
}

extension EngineConfiguration {
    /// What runs a container whose `HostConfig.Runtime` is `name`.
    package enum Runtime: Hashable, Sendable {
        /// Our own, in the shim's process.
        case builtIn
        case external(RuntimeProgram)
    }

    /// Runtimes that are shown among the known ones wherever they are installed.
    package static let commonRuntimes = ["crun", "runc", "runsc", "youki"]

    /// The name of Docker's default runtime, which clients send to say "the default".
    private static let dockersDefault = "runc"

    /// Looks a runtime up: a configured name, an absolute path, or the name of a program in `PATH`; `nil` if there is
    /// none such. Docker's default is the built-in one where nothing else has its name.
    package static func runtime(_ name: String, among runtimes: [String: RuntimeProgram]) -> Runtime? {
        if name.isEmpty || name == builtInRuntime { return .builtIn }
        if var program = runtimes[name] {
            // One that is gone is an error of the start, which says so.
            program.path = executable(program.path) ?? program.path
            return .external(program)
        }
        if let path = executable(name) { return .external(RuntimeProgram(path: path)) }
        return name == dockersDefault ? .builtIn : nil
    }

    /// The same among this configuration's.
    package func runtime(_ name: String) -> Runtime? { Self.runtime(name, among: runtimes) }

    /// The absolute path of a program; `nil` if it cannot be executed. A name with `/` in it is a path, and has to be
    /// absolute.
    private static func executable(_ name: String) -> String? {
        if name.contains("/") { return name.hasPrefix("/") && isExecutable(name) ? name : nil }
        guard !name.isEmpty, name != ".", name != ".." else { return nil }
        let path =
            getenv("PATH").map { String(cString: $0) } ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { $0.hasPrefix("/") && isExecutable($0) }
    }

    private static func isExecutable(_ path: String) -> Bool {
        // What cannot be looked at cannot be executed.
        guard let status = try? FileStatus.of(FilePath(path)), status.kind == .regular else { return false }
        return access(path, X_OK) == 0
    }
}

extension EngineError {
    /// A runtime that is neither configured nor a program.
    static func unknownRuntime(_ name: String) -> EngineError {
        .invalid("unknown or invalid runtime name: \(name)")
    }
}
