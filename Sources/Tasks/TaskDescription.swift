import DNS
import JSON
import OCISpec
import PublishedPorts
import ShimProtocol

/// All that is needed to run a program in a container: a finished description, in which nothing is left to be decided.
package struct TaskDescription: Sendable {
    /// The runtime specification. `process.terminal` says whether there is a terminal, `process.consoleSize` how large
    /// it is, `linux.namespaces` which name spaces are new and which are joined by their paths, `linux.cgroupsPath` the
    /// control group.
    package var specification: Spec
    /// What the root file system is made of, in order; mounted by the container's own first process. The mounts of
    /// `specification.mounts` come on top of them.
    package var rootMounts: [RootMount]
    /// What becomes of standard input.
    package var input: Input
    /// Where output is kept.
    package var log: LogConfiguration
    /// The OCI runtime's program; `nil` is our own, within the shim's process.
    package var runtime: ShimConfiguration.Runtime?
    /// Whether systemd makes the control group, whose name then has the form `slice:prefix:name`.
    package var usesSystemdCgroup: Bool
    /// How many bytes of output may wait on disk for all attached clients that do not read it; `nil` is the shim's
    /// usual limit.
    package var spillLimit: Int64?
    /// The ports of the host that the shim binds before the task is made; a conflict is the error of `Tasks.create`.
    package var publishedPorts: PortPublication?
    /// What the resolver in the task's network namespace answers, which must not be the host's; `nil` for a task
    /// without one.
    package var resolver: ResolverConfiguration?

    /// What the processes are made from, instead of executing the program: they stand still until `start`, and go on
    /// from where they were saved. `nil` for a program that begins.
    package var checkpoint: CheckpointPlace?

    /// What becomes of a task's standard input.
    package enum Input: Hashable, Sendable {
        /// `/dev/null`.
        case none
        /// Open for clients that attach, to the end of the task.
        case open
        /// Open until the first client that has attached ends its input or goes away.
        case once
    }

    /// A task without input and log, run by our own runtime.
    package init(
        _ specification: Spec, rootMounts: [RootMount], input: Input = .none, log: LogConfiguration = .none,
        runtime: ShimConfiguration.Runtime? = nil, usesSystemdCgroup: Bool = false,
        spillLimit: Int64? = nil, publishedPorts: PortPublication? = nil, resolver: ResolverConfiguration? = nil,
        checkpoint: CheckpointPlace? = nil
    ) {
        self.specification = specification
        self.rootMounts = rootMounts
        self.input = input
        self.log = log
        self.runtime = runtime
        self.usesSystemdCgroup = usesSystemdCgroup
        self.spillLimit = spillLimit
        self.publishedPorts = publishedPorts
        self.resolver = resolver
        self.checkpoint = checkpoint
    }
}

/// A control group by the name that the specification gives it.
package struct TaskCgroup: Hashable, Sendable {
    /// `linux.cgroupsPath`.
    package var path: String
    /// Whether systemd makes it, whose names have the form `slice:prefix:name`.
    package var isSystemd: Bool

    /// The control group that `linux.cgroupsPath` calls `path`.
    package init(path: String, isSystemd: Bool = false) {
        self.path = path
        self.isSystemd = isSystemd
    }
}

/// An additional process in a running task.
package struct ExecDescription: Sendable {
    /// Unique in the task.
    package var id: String
    /// What runs, with all its attributes.
    package var process: Process
    /// Who gets its output and whose input it gets; `nil` discards the one and ends the other at once. Later nobody can
    /// attach.
    package var streams: StreamChoice?
    /// What the caller wants to know of it after a crash of its own: the shim keeps it, and `TaskExec` has it again.
    package var note: JSONValue?

    /// A process without streams, unless they are given.
    package init(id: String, process: Process, streams: StreamChoice? = nil, note: JSONValue? = nil) {
        self.id = id
        self.process = process
        self.streams = streams
        self.note = note
    }
}

/// Which streams of a process a client wants.
package struct StreamChoice: Hashable, Sendable {
    /// Whether what is written to the stream is input.
    package var stdin: Bool
    /// Whether standard output comes from the stream.
    package var stdout: Bool
    /// Whether standard error comes from the stream.
    package var stderr: Bool
    /// The keys that end the attachment and nothing else, in the input of a terminal; empty for none.
    package var detachKeys: [UInt8]
    /// How output comes; `nil` is as the bytes are with a terminal, else in Docker's frames.
    package var framing: StreamFraming?

    /// Output and errors, unless something else is said.
    package init(
        stdin: Bool = false, stdout: Bool = true, stderr: Bool = true, detachKeys: [UInt8] = [],
        framing: StreamFraming? = nil
    ) {
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.detachKeys = detachKeys
        self.framing = framing
    }
}
