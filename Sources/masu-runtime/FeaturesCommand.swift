import BuildInformation
import Flags
import JSON
import LinuxKernel
import OCISpec

/// `features`: what this runtime can do (`features.md` of the runtime specification).
enum FeaturesCommand {
    static let features = Command(
        "features", "Print what this runtime supports as JSON",
        action: { _ in
            try Output.print(document.serialized(pretty: true))
            return 0
        })

    private static func strings(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }

    private static var document: JSONValue {
        [
            "ociVersionMin": "1.0.0",
            "ociVersionMax": .string(MasuVersion.runtimeSpecification),
            "hooks": strings([
                "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
            ]),
            "mountOptions": strings(mountOptions),
            "linux": [
                "namespaces": strings(LinuxNamespaceType.allCases.map(\.rawValue).sorted()),
                "capabilities": strings(CapabilitySet.names),
                "cgroup": ["v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true],
                "seccomp": [
                    "enabled": true,
                    "actions": strings([
                        "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                        "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
                    ]),
                    "operators": strings([
                        "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                        "SCMP_CMP_NE",
                    ]),
                    "archs": strings(architectures),
                    "knownFlags": strings(seccompFlags),
                    "supportedFlags": strings(seccompFlags),
                ],
                "apparmor": ["enabled": true],
                "selinux": ["enabled": true],
                "intelRdt": ["enabled": true, "schemata": true, "monitoring": true],
                "memoryPolicy": [
                    "modes": strings([
                        "MPOL_BIND", "MPOL_DEFAULT", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED",
                        "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
                    ]),
                    "flags": strings(["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]),
                ],
                "mountExtensions": ["idmap": ["enabled": true]],
                "netDevices": ["enabled": true],
            ],
            "annotations": [
                "org.masu.runtime.version": .string(MasuVersion.version),
                // Whether or not CRIU is installed, as runc has it; engines look for this one.
                "org.opencontainers.runc.checkpoint.enabled": "true",
            ],
            "potentiallyUnsafeConfigAnnotations": strings(["org.criu.config", "org.systemd.property."]),
        ]
    }

    private static let seccompFlags = [
        "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ]

    private static let architectures = [
        "AARCH64", "ARM", "LOONGARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PARISC",
        "PARISC64", "PPC", "PPC64", "PPC64LE", "RISCV64", "S390", "S390X", "X32", "X86", "X86_64",
    ].map { "SCMP_ARCH_" + $0 }

    private static let mountOptions: [String] = {
        let attributes = [
            "atime", "dev", "diratime", "exec", "noatime", "nodev", "nodiratime", "noexec", "norelatime",
            "nostrictatime",
            "nosuid", "nosymfollow", "relatime", "ro", "rw", "strictatime", "suid", "symfollow",
        ]
        let others = [
            "async", "bind", "defaults", "dirsync", "iversion", "lazytime", "loud", "mand", "noiversion", "nolazytime",
            "nomand", "private", "idmap", "rbind", "remount", "ridmap", "rprivate", "rshared", "rslave", "runbindable",
            "shared", "silent",
            "slave", "sync", "tmpcopyup", "unbindable",
        ]
        return (attributes + attributes.map { "r" + $0 } + others).sorted()
    }()
}
