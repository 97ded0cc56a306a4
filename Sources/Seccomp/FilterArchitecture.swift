import CSeccomp

/// An architecture whose system calls a filter can be about.
struct FilterArchitecture: Hashable {
    /// libseccomp's number for it.
    let token: UInt32
    /// What the kernel calls it (`AUDIT_ARCH_*`, audit.h). x32 has that of x86-64 and is told by its numbers.
    let auditNumber: UInt32

    private static let x86: UInt32 = 0x4000_0003
    private static let x86_64: UInt32 = 0xc000_003e
    private static let x32: UInt32 = 0x4000_003e
    private static let arm: UInt32 = 0x4000_0028
    private static let aarch64: UInt32 = 0xc000_00b7

    /// The bit in every system call number of x32.
    static let x32Bit: UInt32 = 0x4000_0000

    /// `nil` for architectures that `FilterAssembler` is not made for.
    init?(token: UInt32) {
        guard [Self.x86, Self.x86_64, Self.x32, Self.arm, Self.aarch64].contains(token) else { return nil }
        self.token = token
        auditNumber = token == Self.x32 ? Self.x86_64 : token
    }

    var isX32: Bool { token == Self.x32 }

    /// Whether numbers of x32 can occur among this architecture's.
    var isX86_64: Bool { token == Self.x86_64 }

    /// What a rule for a system call becomes: its number, or that of one through which it can be called too, with the
    /// condition on the first argument that says so.
    struct Entry: Hashable {
        var number: UInt32
        var firstArgument: UInt64?
    }

    /// The ways to make the call `name` on this architecture; none if it has no such call.
    func entries(for name: String) -> [Entry] {
        let number = seccomp_syscall_resolve_name_arch(token, name)
        if token == Self.x86 { return Self.x86Entries(number) }
        return number < 0 ? [] : [Entry(number: UInt32(number))]
    }

    /// On 32-bit x86 sockets and System V IPC go through one call each for all of them, `socketcall` (102) and `ipc`
    /// (117); since Linux 4.3 and 5.1 most have numbers of their own as well. libseccomp gives the former as -100 and
    /// -200, less the number of the function.
    private static func x86Entries(_ number: CInt) -> [Entry] {
        if number >= 0 {
            // Those two had numbers of their own before the others.
            let functions: [CInt: UInt64] = [337: 19, 345: 20]
            let direct = Entry(number: UInt32(number))
            guard let function = functions[number] else { return [direct] }
            return [direct, Entry(number: 102, firstArgument: function)]
        }
        var entries: [Entry] = []
        let function = -number % 100
        switch number {
        case -120 ... -101:
            entries.append(Entry(number: 102, firstArgument: UInt64(function)))
            let direct: [CInt: UInt32] = [
                1: 359, 2: 361, 3: 362, 4: 363, 6: 367, 7: 368, 8: 360, 11: 369, 12: 371, 13: 373, 14: 366, 15: 365,
                16: 370,
                17: 372, 18: 364, 19: 337, 20: 345,
            ]
            if let number = direct[function] { entries.append(Entry(number: number)) }
        case -224 ... -201:
            entries.append(Entry(number: 117, firstArgument: UInt64(function)))
            let direct: [CInt: UInt32] = [
                2: 393, 3: 394, 11: 400, 12: 401, 13: 399, 14: 402, 21: 397, 22: 398, 23: 395, 24: 396,
            ]
            if let number = direct[function] { entries.append(Entry(number: number)) }
        default: break
        }
        return entries
    }
}
