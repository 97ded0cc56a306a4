import ContainerRuntime
import Flags
import LinuxKernel
import SystemPackage

extension UsageError {
    /// Tells in runc's words what is wrong with the command line, and how it should be. Gives the exit status.
    func report(arguments: [String]) -> Int32 {
        let log = ErrorLog(flags)
        guard kind != .unknownCommand else {
            log.report("No help topic for '\(complaint)'")
            return arguments.contains("-h") || arguments.contains("--help") ? 1 : 3
        }
        do throws(RuntimeError) {
            try Output.write("Incorrect Usage.\n\n" + HelpPage(path: path).text)
        } catch {
            log.report(error.message)
        }
        log.report(kind == .flag ? flagComplaint : "\(ProgramName.current): \(arityComplaint)")
        return 1
    }

    private var flagComplaint: String {
        for (beginning, words) in [
            ("unknown flag: -", "flag provided but not defined: "),
            ("unknown shorthand flag: '", "flag provided but not defined: -"),
        ] where complaint.hasPrefix(beginning) {
            return words + complaint.dropFirst(beginning.utf8.count).prefix { $0 != "'" }
        }
        return complaint
    }

    private var arityComplaint: String {
        let command = path[path.count - 1]
        func needs(_ count: Int, _ how: String) -> String {
            "\"\(command.name)\" requires \(how) \(count) argument(s)"
        }
        switch command.arity {
        case .none: return needs(0, "exactly")
        case .exactly(let count): return needs(count, "exactly")
        case .atLeast(let count): return needs(count, "a minimum of")
        case .atMost(let count): return needs(count, "a maximum of")
        case .between(let least, let most):
            return operandCount < least ? needs(least, "a minimum of") : needs(most, "a maximum of")
        case .any: return complaint
        }
    }
}
