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
