import Glibc
import MasuCommand

// `CommandLine.arguments` sets more of the runtime in motion than the rest of a short start of this program.
var arguments: [String] = []
for index in 1..<max(1, Int(CommandLine.argc)) {
    if let argument = CommandLine.unsafeArgv[index] { arguments.append(String(cString: argument)) }
}
exit(MasuProgram.run(arguments))
