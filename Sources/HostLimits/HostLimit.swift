/// A limit of the machine, beside what a number of containers needs of it.
package struct HostLimit: Hashable, Sendable {
    /// How a limit is raised.
    package enum Setting: Hashable, Sendable {
        /// A kernel parameter; `name` has dots, as sysctl(8) takes it.
        case parameter(name: String)
        /// The control group of the daemon or one above it: the directory.
        case controlGroup(directory: String)
        /// `RLIMIT_NOFILE` of the daemon, which the one who starts it sets.
        case openFiles
        /// It cannot be raised.
        case fixed(advice: String)
    }

    /// What it is called: the kernel parameter's name, where it is one.
    package let name: String
    /// What it limits.
    package let purpose: String
    /// How it is raised.
    package let setting: Setting
    /// What the machine has; `nil` if it has no such limit or does not show it here, `UInt64.max` for no limit.
    package let present: UInt64?
    /// What the containers need.
    package let need: UInt64

    /// A limit that the machine has.
    package init(name: String, purpose: String, setting: Setting, present: UInt64?, need: UInt64) {
        self.name = name
        self.purpose = purpose
        self.setting = setting
        self.present = present
        self.need = need
    }

    /// Whether the machine has less than is needed.
    package var isShort: Bool { present.map { $0 < need } ?? false }

    /// What to type, or to do, so that there is enough.
    package var remedy: String {
        switch setting {
        case .parameter(let name): "sysctl -w \(name)=\(need)"
        case .controlGroup(let directory): "echo \(need) > \(directory)/pids.max"
        case .openFiles: "LimitNOFILE=\(need) in masud's unit, or ulimit -n \(need) before masud is started"
        case .fixed(let advice): advice
        }
    }
}
