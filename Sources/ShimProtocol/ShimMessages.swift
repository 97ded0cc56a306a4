import Cgroups
import LinuxKernel
import OCISpec

/// What a client asks of a shim. Each request gets exactly one `ShimResponse`, in order.
package enum ShimRequest: Codable, Hashable, Sendable {
    /// Events are sent on this connection from now on; answered by the present `state`, after which none is missed.
    case subscribe
    /// Answered by `state`.
    case state
    /// Lets the container's program begin. An error (`commandNotFound`, …) means that the container has ended; an
    /// `exited` event follows.
    case start
    /// Sends a signal to the first process, or to all. SIGKILL works on a paused container too.
    case kill(signal: Signal, all: Bool = false)
    /// Freezes all processes.
    case pause
    /// Thaws them.
    case resume
    /// Changes limits; those that are not given stay.
    case update(resources: LinuxResources)
    /// Answered by `processes`.
    case processes
    /// Answered by `statistics`.
    case statistics
    /// Sets the size of the container's terminal, or an exec's; `conflict` if it has none.
    case resize(execID: String? = nil, columns: UInt16, rows: UInt16)
    /// Describes an additional process, which `execStart` begins. `process.terminal` decides whether it has a terminal.
    case exec(id: String, process: Process, openStdin: Bool)
    /// Begins it; answered by `started`, or by the error that made it impossible. Whoever wants its output attaches
    /// before; without any client it is discarded.
    case execStart(id: String)
    /// Answered by `execState`.
    case execState(id: String)
    /// Forgets an exec that does not run.
    case execDelete(id: String)
    /// Ends the standard input.
    case closeStdin(execID: String? = nil)
    /// Turns this connection, after the response `done`, into a stream: what is written to it is standard input (if
    /// `stdin`), shutting down its writing side is the end of that; what is read from it is output, raw with a terminal,
    /// else in Docker's frames (stream 1 or 2, three zeros, big-endian length, bytes). The shim closes it after the last
    /// byte of output when the process has ended.
    ///
    /// `detachKeys` (see `DetachKeys`) in the input of a terminal end the connection and nothing else; empty for none.
    case attach(execID: String? = nil, stdin: Bool, stdout: Bool, stderr: Bool, detachKeys: [UInt8] = [])
    /// Only for a container that has ended: the shim ends as soon as all attached clients have their output.
    case shutdown
}

/// A shim's answer.
package enum ShimResponse: Codable, Hashable, Sendable {
    /// It is done, and there is nothing to say.
    case done
    /// To `subscribe` and `state`.
    case state(ShimState)
    /// To `execStart`.
    case started(pid: Int32)
    /// To `execState`.
    case execState(ExecState)
    /// The pids of all processes in the container, as the host numbers them.
    case processes([Int32])
    /// To `statistics`.
    case statistics(ShimStatistics)
    /// It could not be done.
    case failure(ShimError)
}

/// What a container has used, and what became of its log.
package struct ShimStatistics: Codable, Hashable, Sendable {
    /// The control group's numbers.
    package var cgroup: CgroupStatistics
    /// How many lines of output could not be written to the log (disk full).
    package var droppedLogLines: UInt64

    /// Numbers.
    package init(cgroup: CgroupStatistics, droppedLogLines: UInt64 = 0) {
        self.cgroup = cgroup
        self.droppedLogLines = droppedLogLines
    }
}

/// What happens in a container.
package enum ShimEvent: Codable, Hashable, Sendable {
    /// The container has ended: output is drained, the file `exit` written, the runtime's state, the cgroup and the shim's
    /// socket removed. The shim ends by itself after this.
    case exited(ExitRecord)
    /// The program of an exec has begun.
    case execStarted(execID: String, pid: Int32)
    /// An exec has ended, and its output is drained.
    case execExited(execID: String, exitCode: Int32, at: Timestamp)
    /// The kernel has killed a process for want of memory.
    case outOfMemory(at: Timestamp)
    /// A client has ended its attachment by the detach keys.
    case detached(execID: String?)
}

/// What a shim sends on a control connection.
package enum ShimMessage: Hashable, Sendable {
    /// The answer to the oldest request that has none yet.
    case response(ShimResponse)
    /// Something has happened.
    case event(ShimEvent)
}

extension ShimMessage: Codable {
    private enum Keys: String, CodingKey {
        case response, event
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        if let event = try container.decodeIfPresent(ShimEvent.self, forKey: .event) {
            self = .event(event)
        } else {
            self = .response(try container.decode(ShimResponse.self, forKey: .response))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .response(let response): try container.encode(response, forKey: .response)
        case .event(let event): try container.encode(event, forKey: .event)
        }
    }
}
