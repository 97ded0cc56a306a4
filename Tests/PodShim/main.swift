import Glibc
import LinuxKernel
import Shim
import SystemPackage

// PodShim BUNDLE…: a shim of several containers, made by the library's calls alone. Its socket is in the first bundle.
// Says how many there are, and ends with the last one.

let bundles = CommandLine.arguments.dropFirst().map { FilePath($0) }
guard let home = bundles.first else { exit(2) }
do {
    let output = try FileDescriptor.standardOutput.duplicate(from: 3)
    try Shim.becomeBackgroundProcess()
    let shim = try Shim(home: home)
    for bundle in bundles { try shim.create(bundle: bundle) }
    try output.writeEntire(Array("created \(bundles.count)\n".utf8))
    output.discard()
    shim.run()
} catch {
    exit(1)
}
