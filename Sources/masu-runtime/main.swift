import Flags
import Glibc
import LinuxKernel

// masu-runtime: an OCI runtime with runc's command line.
Descriptors.secureStandardStreams()
let arguments = Array(CommandLine.arguments.dropFirst())
let invocation: Invocation
do throws(UsageError) {
    invocation = try RuntimeCommands.root.parse(arguments)
} catch {
    exit(error.report(arguments: arguments))
}
exit(RuntimeCommands.execute(invocation))
