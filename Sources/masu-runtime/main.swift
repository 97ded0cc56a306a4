import ContainerRuntime
import Flags
import Glibc
import SystemPackage

// masu-runtime: an OCI runtime with runc's command line.
do {
    let invocation = try RuntimeCommands.root.parse(Array(CommandLine.arguments.dropFirst()))
    exit(RuntimeCommands.execute(invocation))
} catch {
    FileDescriptor.standardError.print("\(error)\n")
    exit(1)
}
