/// Called before this program's runtime is set up (see `Sealing.c`), so it may use nothing but what it is given.
///
/// All that a shim executes in containers begins as a copy of it; only questions about the program itself do not lead
/// there.
@_cdecl("masu_runs_sealed")
public func runsSealed(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
    guard count > 1, let argument = arguments[1] else { return 0 }
    return argument[0] == 0x2d && argument[1] == 0x2d && argument[2] == 0x62 ? 1 : 0  // --b(undle)
}
