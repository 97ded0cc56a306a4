import OCISpec
import Seccomp
import Testing

@Suite("seccomp profiles")
struct SeccompProgramTests {
    @Test("a profile becomes a program of whole instructions; unknown system calls are skipped")
    func compiles() throws {
        var profile = LinuxSeccomp(defaultAction: "SCMP_ACT_ERRNO")
        profile.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        profile.flags = ["SECCOMP_FILTER_FLAG_LOG"]
        profile.syscalls = [
            LinuxSyscall(names: ["read", "write", "exit_group", "call_of_the_future"], action: "SCMP_ACT_ALLOW"),
            LinuxSyscall(
                names: ["personality"], action: "SCMP_ACT_ALLOW",
                args: [LinuxSeccompArg(index: 0, value: 8, op: "SCMP_CMP_EQ")]),
            LinuxSyscall(names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38),
        ]
        let program = try SeccompProgram(compiling: profile)
        #expect(program.count > 5)
        #expect(program.instructions.count == program.count * 8)
        #expect(program.flags == 2)
        let fewer = try SeccompProgram(compiling: LinuxSeccomp(defaultAction: "SCMP_ACT_ALLOW"))
        #expect(fewer.count < program.count)
    }

    @Test("two conditions on one argument mean either of them")
    func repeatedArgument() throws {
        var profile = LinuxSeccomp(defaultAction: "SCMP_ACT_ERRNO")
        profile.syscalls = [
            LinuxSyscall(
                names: ["socket"], action: "SCMP_ACT_ALLOW",
                args: [
                    LinuxSeccompArg(index: 0, value: 1, op: "SCMP_CMP_EQ"),
                    LinuxSeccompArg(index: 0, value: 2, op: "SCMP_CMP_EQ"),
                ])
        ]
        #expect(try SeccompProgram(compiling: profile).count > 0)
    }

    @Test(
        "what libseccomp could not compile is refused by name",
        arguments: [
            (LinuxSeccomp(defaultAction: "SCMP_ACT_MAYBE"), "unknown seccomp action \"SCMP_ACT_MAYBE\""),
            (profile { $0.architectures = ["SCMP_ARCH_ABACUS"] }, "unknown architecture \"SCMP_ARCH_ABACUS\""),
            (profile { $0.flags = ["FAST"] }, "unknown seccomp flag \"FAST\""),
            (
                profile { $0.syscalls = [LinuxSyscall(names: ["write"], action: "SCMP_ACT_NOTIFY")] },
                "the write syscall"
            ),
            (LinuxSeccomp(defaultAction: "SCMP_ACT_NOTIFY"), "default action"),
            (
                profile {
                    let argument = LinuxSeccompArg(index: 6, value: 0, op: "SCMP_CMP_EQ")
                    $0.syscalls = [LinuxSyscall(names: ["read"], action: "SCMP_ACT_ERRNO", args: [argument])]
                }, "no argument 6"
            ),
            (
                profile {
                    let argument = LinuxSeccompArg(index: 0, value: 0, op: "SCMP_CMP_LIKE")
                    $0.syscalls = [LinuxSyscall(names: ["read"], action: "SCMP_ACT_ERRNO", args: [argument])]
                }, "unknown comparison \"SCMP_CMP_LIKE\""
            ),
        ])
    func refused(_ profile: LinuxSeccomp, _ words: String) {
        #expect { try SeccompProgram(compiling: profile) } throws: { "\($0)".contains(words) }
    }

    @Test(
        "flags are the profile's, less what means nothing, plus the listener where somebody is to be asked",
        arguments: [
            (nil, "SCMP_ACT_ERRNO", 4), ([], "SCMP_ACT_ERRNO", 0),
            (["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"], "SCMP_ACT_ERRNO", 2),
            (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "SCMP_ACT_ERRNO", 0),
            (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "SCMP_ACT_NOTIFY", 40), (nil, "SCMP_ACT_NOTIFY", 12),
        ] as [([String]?, String, UInt32)])
    func flags(_ names: [String]?, _ action: String, _ number: UInt32) throws {
        let profile = Self.profile {
            $0.flags = names
            $0.syscalls = [LinuxSyscall(names: ["mkdir"], action: action)]
        }
        let program = try SeccompProgram(compiling: profile)
        #expect(program.flags == number)
        #expect(program.notifies == (action == "SCMP_ACT_NOTIFY"))
    }

    private static func profile(_ change: (inout LinuxSeccomp) -> Void) -> LinuxSeccomp {
        var profile = LinuxSeccomp(defaultAction: "SCMP_ACT_ALLOW")
        change(&profile)
        return profile
    }
}
