import Glibc

/// What happens on a system call, as the kernel's filters return it (`SECCOMP_RET_*`, seccomp(2)).
struct SeccompAction: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt32
    init(rawValue: UInt32) { self.rawValue = rawValue }

    static let killThread = SeccompAction(rawValue: 0)

    /// Another process is asked, which has the filter's listener.
    static let notify = SeccompAction(rawValue: 0x7fc0_0000)

    static func errno(_ number: UInt32) -> SeccompAction {
        SeccompAction(rawValue: 0x0005_0000 | number & 0xffff)
    }

    /// Whether the call fails with an errno.
    var isErrno: Bool { rawValue & 0xffff_0000 == 0x0005_0000 }

    /// The action called `name` in a profile; `value` is an errno or, for a tracer, a message.
    init(name: String, value: UInt32?) throws(SeccompError) {
        switch name {
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": self = .killThread
        case "SCMP_ACT_KILL_PROCESS": self.init(rawValue: 0x8000_0000)
        case "SCMP_ACT_TRAP": self.init(rawValue: 0x0003_0000)
        case "SCMP_ACT_ERRNO": self = .errno(value ?? UInt32(EPERM))
        case "SCMP_ACT_TRACE": self.init(rawValue: 0x7ff0_0000 | (value ?? UInt32(EPERM)) & 0xffff)
        case "SCMP_ACT_NOTIFY": self = .notify
        case "SCMP_ACT_LOG": self.init(rawValue: 0x7ffc_0000)
        case "SCMP_ACT_ALLOW": self.init(rawValue: 0x7fff_0000)
        default: throw SeccompError("unknown seccomp action \"\(name)\"")
        }
    }
}
