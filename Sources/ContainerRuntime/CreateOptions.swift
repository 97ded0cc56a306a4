import OCISpec
import SystemPackage

/// A mount that makes up the container's root file system, in the manner of containerd's snapshot mounts.
///
/// It is made by the container's init in its own mount namespace, on the bundle's root path: the host's mount table
/// never shows it, and it is gone when the last process in the namespace is.
package struct RootfsMount: Codable, Hashable, Sendable {
    /// The file system's name (`overlay`, `bind`, `erofs`, …).
    package var type: String
    /// The device, or a directory for `bind`, or a mere name.
    package var source: String
    /// Options as in fstab(5), such as `lowerdir=…`.
    package var options: [String]
    /// Where to mount it instead of on the root, for what others of the mounts or the configuration's own refer to: a
    /// path of the host, which is made if it is not there. It is mounted there in the container's mount namespace only.
    package var target: String?
    /// Only of the type `bind`, with a target: what is at this relative path in `source`. The kernel refuses to look
    /// outside of `source` for it, so that nobody who can change files there can lead the mount elsewhere.
    package var subpath: String?
    /// How the message begins if it cannot be mounted; `nil` is for a part of the root.
    package var failure: String?

    /// A mount of `source`.
    package init(
        type: String, source: String, options: [String] = [], target: String? = nil, subpath: String? = nil,
        failure: String? = nil
    ) {
        self.type = type
        self.source = source
        self.options = options
        self.target = target
        self.subpath = subpath
        self.failure = failure
    }

    /// Mounts it on `path` in the caller's own mount namespace, for runtimes that want to find the root mounted. The
    /// working directory may be another one afterwards.
    package func mount(on path: FilePath) throws(RuntimeError) {
        try RootFilesystem.mount(self, on: path)
    }
}

/// The descriptors a process in a container gets as 0, 1 and 2. The caller keeps its own copies and closes them.
package struct StandardStreams: Hashable, Sendable {
    /// Standard input; `nil` passes on the caller's own.
    package var input: FileDescriptor?
    /// Standard output; `nil` passes on the caller's own.
    package var output: FileDescriptor?
    /// Standard error; `nil` passes on the caller's own.
    package var error: FileDescriptor?

    /// Streams for a process without terminal.
    package init(input: FileDescriptor? = nil, output: FileDescriptor? = nil, error: FileDescriptor? = nil) {
        self.input = input
        self.output = output
        self.error = error
    }
}

/// How a container is created, beside what its configuration says.
package struct CreateOptions: Hashable, Sendable {
    /// The first process's standard streams; not used when it has a terminal.
    package var streams = StandardStreams()
    /// Whether a line's end that the process writes to its terminal stays what it is (no carriage return is added).
    package var keepsLineEnds = false
    /// What the root file system is made of, in order; empty if the configuration's root path already holds it.
    package var rootfsMounts: [RootfsMount] = []
    /// A file that gets the first process's pid in decimal digits.
    package var pidFile: FilePath?
    /// How many descriptors from 3 on the process keeps.
    package var preservedDescriptors = 0
    /// Use `MS_MOVE` and `chroot` where `pivot_root` cannot work (a root in an initramfs).
    package var noPivot = false
    /// Keep the session keyring of the caller.
    package var noNewKeyring = false
    /// The cgroup used when the configuration names none; `nil` is one called after the container's id.
    package var defaultCgroupsPath: String?
    /// Make no cgroup; the container stays in the caller's. Limits cannot be set then, nor can it be paused.
    package var withoutCgroup = false
    /// Whether a container that names no cgroup may go without where none can be made.
    package var rootlessCgroups = RootlessCgroups.automatic
    /// Let systemd make the cgroup, as a unit that `cgroupsPath` names in the form `slice:prefix:name`.
    package var cgroupDriver = CgroupDriver.cgroupfs
    /// Where warnings and steps are told; `nil` is nowhere.
    package var log: RuntimeLog?

    /// Defaults throughout.
    package init() {}
}

/// The program that makes the cgroup of a container.
package enum CgroupDriver: Hashable, Sendable {
    /// This runtime, in the file system.
    case cgroupfs
    /// systemd, or with `isUser` the user's own instance of it.
    case systemd(isUser: Bool)
}

/// How a process is added to a container, beside what its `Process` says.
package struct ExecOptions: Hashable, Sendable {
    /// The process's standard streams; not used when it has a terminal.
    package var streams = StandardStreams()
    /// Whether a line's end that the process writes to its terminal stays what it is (no carriage return is added).
    package var keepsLineEnds = false
    /// A file that gets the process's pid in decimal digits.
    package var pidFile: FilePath?
    /// How many descriptors from 3 on the process keeps.
    package var preservedDescriptors = 0
    /// The container's configuration, if the caller has it at hand; otherwise it is read from the bundle when needed.
    package var spec: Spec?
    /// Let the process be added to a paused container, where it waits with the others until the container goes on.
    package var ignoresPause = false
    /// Where warnings and steps are told; `nil` is nowhere.
    package var log: RuntimeLog?
    /// Groups below the container's that the process joins instead of that, by controller; "" is for all others.
    package var subgroups: [String: String] = [:]

    /// Defaults throughout.
    package init() {}
}

/// A process that the runtime made. It is a child of the calling process, which has to wait for it.
package struct StartedProcess: Hashable, Sendable {
    /// Its pid in the caller's pid namespace.
    package var pid: Int32
    /// The master side of its pseudo terminal, if it has one; the caller owns it. It is close-on-exec.
    package var console: FileDescriptor?
    /// The container, if the process is the first one of one that has just been created.
    package internal(set) var container: FoundContainer?

    /// The process `pid`.
    package init(pid: Int32, console: FileDescriptor? = nil) {
        self.pid = pid
        self.console = console
    }
}
