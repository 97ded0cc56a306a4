import ShimProtocol

/// How long a shim may take to answer. Every call to a shim gets its deadline here.
///
/// One that exceeds it has not done what it was asked, as far as anybody can tell: the call fails. A shim that does not
/// even answer when it is to kill its task is killed itself, and the task with it.
package struct ShimPatience: Sendable {
    /// From its start until it says that the task is created. Mounts of a slow file system are in this.
    package var launch: Duration = .seconds(120)
    /// The same where the task is made from a checkpoint, whose memory has to be read.
    package var restoration: Duration = .seconds(630)
    /// What it does by itself, from its memory.
    package var own: Duration = .seconds(10)
    /// What the runtime does for it: a process is made, a group of processes freezes. For a runtime's program its own
    /// patience comes on top of this.
    package var runtime: Duration = .seconds(30)
    /// SIGKILL.
    package var kill: Duration = .seconds(5)
    /// The first answer at a recovery; a shim that takes longer is waited for in the background.
    package var recovery: Duration = .seconds(3)

    package init() {}

    /// How long it may take to answer `request`; `program` is the runtime that it executes, if it does.
    func limit(for request: ShimRequest, program: ShimConfiguration.Runtime?) -> Duration {
        switch request {
        case .kill(.kill, _): kill
        case .start, .create, .kill, .pause, .resume, .checkpoint, .update, .processes, .statistics,
            .execStart:
            runtime + .seconds(program?.patience ?? 0)
        case .subscribe, .state, .resize, .exec, .execState, .execs, .execDelete, .closeStdin, .attach, .shutdown,
            .containers, .publishedPorts, .publish, .openPorts, .unpublish, .retarget, .resolve:
            own
        }
    }
}
