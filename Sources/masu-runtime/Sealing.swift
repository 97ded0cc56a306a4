import ContainerRuntime
import LinuxKernel
import SystemPackage

/// Called before this program's runtime is set up (see `Sealing.c`), so it may use nothing but what it is given.
///
/// Only commands that make a process inside a container need protection; the others start faster without.
@_cdecl("masu_runs_sealed")
public func runsSealed(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
    for index in 1..<max(1, Int(count)) {
        guard let argument = arguments[index] else { return 0 }
        // The first letters are enough: a word too many only costs time.
        switch (argument[0], argument[1]) {
        case (0x63, 0x72), (0x72, 0x75), (0x65, 0x78): return 1  // cr(eate), ru(n), ex(ec)
        default: continue
        }
    }
    return 0
}

/// What `--debug` says about it.
enum Sealing {
    static func note(in log: RuntimeLog) {
        guard log.isVerbose else { return }
        guard ProcessAttributes.isSealed else {
            return log.debug(
                "\(ProgramName.current) exeseal: using /proc/self/exe clone is not needed: the file is root's, "
                    + "whose id is in no container of this user")
        }
        guard let file = try? Files.open("/proc/self/exe", [.path]),  // Then there is nothing to be said.
            let flags = try? Mounts.flags(of: file)  // As above.
        else { return }
        file.discard()
        guard flags.contains(.readOnly) else {
            return log.debug("\(ProgramName.current) exeseal: using a sealed copy of /proc/self/exe in memory")
        }
        log.debug("\(ProgramName.current) exeseal: using /proc/self/exe clone")
        log.debug(
            "\(ProgramName.current) exeseal: using overlayfs for sealed /proc/self/exe is not needed, as the clone is "
                + "on a read-only mount that is attached nowhere")
    }
}
