import LinuxKernel
import SystemPackage

/// The program a container's process is to execute, found in the container.
struct Program {
    /// Its path.
    let path: String
    /// What it gets as its environment.
    let environment: [String]

    /// Finds `name` as a shell would: a name with `/` is a path, any other is looked for in the directories of `path`.
    ///
    /// The messages are those that Docker's clients know: they tell "not found" (127) from "not executable" (126) by
    /// them.
    static func find(
        _ name: String, path searchPath: String?, environment: [String]
    ) throws(RuntimeError) -> Program {
        if name.contains("/") {
            switch check(name) {
            case .executable: return Program(path: name, environment: environment)
            case .directory: throw RuntimeError(.notExecutable, "exec: \"\(name)\": is a directory")
            case .notExecutable: throw RuntimeError(.notExecutable, "exec: \"\(name)\": permission denied")
            case .missing(let error):
                throw RuntimeError(
                    error == .permissionDenied ? .notExecutable : .commandNotFound,
                    "exec: \"\(name)\": stat \(name): \(error.words)")
            }
        }
        var foundNotExecutable = false
        let directories = (searchPath ?? defaultPath).split(separator: ":", omittingEmptySubsequences: false)
        for directory in directories {
            // An empty entry is the working directory.
            let candidate = directory.isEmpty ? "./\(name)" : "\(directory)/\(name)"
            switch check(candidate) {
            case .executable: return Program(path: candidate, environment: environment)
            case .notExecutable: foundNotExecutable = true
            case .directory, .missing: break
            }
        }
        if foundNotExecutable { throw RuntimeError(.notExecutable, "exec: \"\(name)\": permission denied") }
        throw RuntimeError(.commandNotFound, "exec: \"\(name)\": executable file not found in $PATH")
    }

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private enum Check {
        case executable, directory, notExecutable
        case missing(Errno)
    }

    private static func check(_ path: String) -> Check {
        do throws(Errno) {
            let status = try FileStatus.of(FilePath(path))
            if status.isDirectory { return .directory }
            return status.mode & 0o111 != 0 ? .executable : .notExecutable
        } catch {
            return .missing(error)
        }
    }

    /// Executes it in place of this process. Returns why that could not be done.
    func execute(arguments: [String]) -> RuntimeError {
        let error = ProcessControl.execute(path, arguments: arguments, environment: environment)
        let kind: RuntimeError.Kind =
            switch error {
            // The file is there: its interpreter is not.
            case .noSuchFileOrDirectory: .commandNotFound
            case .permissionDenied, .execFormatError: .notExecutable
            default: .system
            }
        return RuntimeError(kind, "exec \(path): \(error.words)").at(.execution)
    }
}
