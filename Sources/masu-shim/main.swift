import Glibc
import Shim

exit(ShimProgram.run(CommandLine.arguments))
