import OCISpec
import Seccomp
import Testing

/// The assembler against libseccomp: both must decide alike on every call.
@Suite("filter programs")
struct FilterAssemblerTests {
    private static let allow: UInt32 = 0x7fff_0000
    private static let noSuchCall: UInt32 = 0x0005_0000 | 38
    private static let architectures: [UInt32] = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028, 0x1234_5678]

    private static func argument(_ index: UInt32, _ op: String, _ value: UInt64, _ second: UInt64? = nil)
        -> LinuxSeccompArg
    {
        LinuxSeccompArg(index: index, value: value, valueTwo: second, op: op)
    }

    static let profiles: [(String, LinuxSeccomp)] = {
        var list = LinuxSeccomp(defaultAction: "SCMP_ACT_ERRNO")
        list.syscalls = [
            LinuxSyscall(
                names: [
                    "read", "write", "open", "close", "stat", "mmap", "mprotect", "brk", "socket", "connect", "accept",
                    "accept4",
                    "sendmsg", "recvmmsg", "shmget", "semop", "semtimedop", "msgctl", "futex", "clock_gettime64",
                    "execve",
                    "exit_group", "openat2", "faccessat2", "statx", "pread64", "time", "arch_prctl", "modify_ldt",
                    "invented",
                ], action: "SCMP_ACT_ALLOW"),
            LinuxSyscall(names: ["ptrace"], action: "SCMP_ACT_KILL_PROCESS"),
            LinuxSyscall(names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38),
            LinuxSyscall(
                names: ["personality"], action: "SCMP_ACT_ALLOW", args: [argument(0, "SCMP_CMP_EQ", 0xffff_ffff)]),
            LinuxSyscall(names: ["personality"], action: "SCMP_ACT_ALLOW", args: [argument(0, "SCMP_CMP_EQ", 8)]),
            LinuxSyscall(
                names: ["clone"], action: "SCMP_ACT_ALLOW", args: [argument(0, "SCMP_CMP_MASKED_EQ", 0x7e02_0000, 0)]),
        ]
        var all = list
        all.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        var conditions = LinuxSeccomp(defaultAction: "SCMP_ACT_ALLOW")
        let operators = ["NE", "LT", "LE", "EQ", "GE", "GT"]
        let names = ["read", "write", "close", "dup", "dup2", "lseek"]
        conditions.syscalls = zip(names, operators).map { name, op in
            LinuxSyscall(
                names: [name], action: "SCMP_ACT_TRAP",
                args: [argument(1, "SCMP_CMP_" + op, 0x2_0000_0005), argument(2, "SCMP_CMP_NE", 7)])
        }
        conditions.syscalls?.append(
            LinuxSyscall(
                names: ["ioctl"], action: "SCMP_ACT_LOG",
                args: [argument(1, "SCMP_CMP_MASKED_EQ", 0xff_0000_00ff, 0x2_0000_0005)]))
        // The rule without conditions wins, wherever it stands.
        conditions.syscalls?.append(
            LinuxSyscall(names: ["fcntl"], action: "SCMP_ACT_TRACE", errnoRet: 3, args: [argument(0, "SCMP_CMP_EQ", 5)])
        )
        conditions.syscalls?.append(LinuxSyscall(names: ["fcntl"], action: "SCMP_ACT_KILL"))
        return [("a list", list), ("a list for three architectures", all), ("conditions", conditions)]
    }()

    @Test("decides as libseccomp does, but says \"no such call\" of calls newer than the profile", arguments: profiles)
    func agreement(_ name: String, _ profile: LinuxSeccomp) throws {
        let assembled = FilterMachine(program: try SeccompProgram(compiling: profile).instructions)
        let reference = FilterMachine(program: try SeccompProgram(byLibseccomp: profile).instructions)
        let values: [UInt64] = [
            0, 1, 2, 4, 5, 6, 7, 8, 17, 102, 0xffff_ffff, 0x2_0000_0004, 0x2_0000_0005, 0x2_0000_0006, 0x1_0000_0005,
            0x3_0000_0000, 0x7e02_0000, 0x100_0005,
        ]
        var arguments: [[UInt64]] = []
        for value in values { arguments += [[value, value, 0], [value, value, 7], [5, value, 1], [value]] }
        let numbers = Array(0..<520 as Range<UInt32>)
        let foreign: [UInt32] = [0x3fff_ffff, 0x4000_0000, 0x4000_0200, 0x7fff_ffff, 0x8000_0000, .max]
        let bit: UInt32 = 0x4000_0000
        for architecture in Self.architectures {
            for number in numbers + numbers.map({ $0 | bit }) + foreign {
                // Arguments matter for calls with conditions only; those have low numbers.
                for list in number & ~bit < 140 ? arguments : [[]] {
                    // The upper halves of arguments are zero where a register has 32 bits.
                    let is32Bit = architecture & 0x8000_0000 == 0
                    let list = is32Bit ? list.map { $0 & 0xffff_ffff } : list
                    let ours = assembled.run(architecture: architecture, number: number, arguments: list)
                    let theirs = reference.run(architecture: architecture, number: number, arguments: list)
                    try #require(ours != nil && theirs != nil)
                    if ours == Self.noSuchCall && profile.defaultAction == "SCMP_ACT_ERRNO" { continue }
                    try #require(ours == theirs, "architecture \(architecture), call \(number), arguments \(list)")
                }
            }
        }
    }

    @Test("calls newer than any that the profile names do not exist; older ones it does not name are refused")
    func unknownCalls() throws {
        var profile = LinuxSeccomp(defaultAction: "SCMP_ACT_ERRNO")
        profile.syscalls = [LinuxSyscall(names: ["read", "statx"], action: "SCMP_ACT_ALLOW")]
        let native = try #require(Self.architectures.first { $0 == nativeArchitecture })
        let machine = FilterMachine(program: try SeccompProgram(compiling: profile).instructions)
        #expect(machine.run(architecture: native, number: 1000) == Self.noSuchCall)
        #expect(machine.run(architecture: native, number: 1) == 0x0005_0001)
        profile.defaultAction = "SCMP_ACT_KILL_PROCESS"
        let strict = FilterMachine(program: try SeccompProgram(compiling: profile).instructions)
        #expect(strict.run(architecture: native, number: 1000) == 0x8000_0000)
    }

    private var nativeArchitecture: UInt32 {
        #if arch(arm64)
        0xc000_00b7
        #else
        0xc000_003e
        #endif
    }

    @Test("neighbours with the same fate cost nothing more")
    func size() throws {
        var profile = LinuxSeccomp(defaultAction: "SCMP_ACT_ERRNO")
        let neighbours = [
            "getpid", "sendfile", "socket", "connect", "accept", "sendto", "recvfrom", "sendmsg", "recvmsg", "shutdown",
            "bind",
            "listen", "getsockname", "getpeername", "socketpair", "setsockopt", "getsockopt", "clone", "fork", "vfork",
        ]
        profile.syscalls = [LinuxSyscall(names: ["getpid"], action: "SCMP_ACT_ALLOW")]
        let one = try SeccompProgram(compiling: profile).count
        profile.syscalls = [LinuxSyscall(names: neighbours, action: "SCMP_ACT_ALLOW")]
        #if arch(x86_64)
        #expect(try SeccompProgram(compiling: profile).count == one)
        #endif
        #expect(try SeccompProgram(compiling: profile).count < SeccompProgram(byLibseccomp: profile).count)
        #expect(one < 20)
    }
}
