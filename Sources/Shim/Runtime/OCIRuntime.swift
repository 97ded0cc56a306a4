import Cgroups
import ContainerRuntime
import OCISpec
import ShimProtocol
import SystemPackage

/// Called once with what became of a request to a runtime: before the request returns, or later by the event loop.
typealias Completion<Value> = (Result<Value, ShimError>) -> Void

/// What makes a shim's container and changes it: our own library in this process (`InProcessRuntime`), or the program
/// of another runtime (`ExternalRuntime`).
///
/// A runtime stands for one container. The container's processes are children of the shim, which reaps them; everything
/// that may take time says by a completion when it is done, so that no client waits for another's request.
protocol OCIRuntime: AnyObject {
    /// The container's control group; `nil` if it is not known, and nothing can be watched or counted then.
    var cgroup: Cgroup? { get }
    /// Whether the shim has to hold the container's root itself for the time that its processes need to end (see
    /// `Shim.root`).
    var needsRootHeld: Bool { get }
    /// Whether it may change owner or mode of the streams it is given, so that they must be nobody else's.
    var changesStreams: Bool { get }
    /// Whether a request is under way.
    var isBusy: Bool { get }
    /// The shim's `oom_score_adj` before it exempted itself. Processes of the runtime get this value.
    var scoreBefore: Int? { get set }

    /// Creates the container up to the point where its program would be executed. There are no clients yet, so this
    /// waits.
    ///
    /// - Throws: what made it impossible; nothing is left of it then.
    func create(_ spec: Spec, streams: StandardPipes?) throws(ShimError) -> StartedProcess
    /// Makes the container's processes from a checkpoint, in the place of `create` and under the same conditions.
    func restore(
        _ spec: Spec, streams: StandardPipes?, from checkpoint: CheckpointPlace
    ) throws(ShimError) -> StartedProcess
    /// Undoes `create` or `restore`. The error that is reported is the one that led here.
    func revert(_ process: StartedProcess)

    /// Executes the container's program, or lets restored processes go on.
    func start(_ completion: @escaping Completion<Void>)
    /// Runs another process in the container; without `streams` at a terminal of its own.
    func exec(_ process: Process, streams: StandardPipes?, _ completion: @escaping Completion<StartedProcess>)
    /// Sends a signal to the first process, or to all. SIGKILL reaches a frozen container too.
    func kill(_ signal: Int32, all: Bool, _ completion: @escaping Completion<Void>)
    /// Freezes all processes, or lets them go on.
    func setPaused(_ isPaused: Bool, _ completion: @escaping Completion<Void>)
    /// Saves the processes; unless they are to go on, the first one has been killed when this is done. `delete` waits
    /// for it.
    func checkpoint(
        to place: CheckpointPlace, leavesRunning: Bool, _ completion: @escaping Completion<Void>)
    /// Changes the limits that are given.
    func update(_ resources: LinuxResources, _ completion: @escaping Completion<Void>)
    /// The pids of all processes, as the host numbers them.
    func processes(_ completion: @escaping Completion<[Int32]>)
    /// What the container has used.
    func statistics(_ completion: @escaping Completion<CgroupStatistics>)
    /// Removes a container that has ended, and whatever of it still runs. Requests that are under way fail.
    func delete(_ completion: @escaping Completion<Void>)

    /// Is told of a child of the shim that has ended and is no process of the container that the shim knows of.
    ///
    /// - Returns: Whether it was one of the runtime's own.
    func childEnded(_ pid: Int32, code: Int32) -> Bool
}
