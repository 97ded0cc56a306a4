import Cgroups
import DNS
import JSON
import LinuxKernel
import OCISpec
import PublishedPorts

/// What a client asks of a shim. Each request gets exactly one `ShimResponse`, in order.
///
/// Most requests are about one of the shim's containers, which `AddressedRequest` names; without a name it is the
/// shim's first.
package enum ShimRequest: Codable, Hashable, Sendable {
    /// The shim sends the container's events on this connection from now on; answered by the present `state`, after
    /// which no event is missed. The ends of execs that the shim has told nobody of come first.
    case subscribe
    /// Answered by `state`. If the container is being paused or resumed, this and `subscribe` wait until that is over;
    /// earlier shims answer at once.
    case state
    /// Lets the container's program begin; answered by `state`, which says when it began (earlier shims answer `done`).
    /// An error (`commandNotFound`, …) means that the container has ended; an `exited` event follows.
    case start
    /// Sends a signal to the first process, or to all. SIGKILL works on a paused container too.
    case kill(signal: Signal, all: Bool = false)
    /// Freezes all processes.
    case pause
    /// Thaws them.
    case resume
    /// Saves the processes of a running or paused container with CRIU. Unless they are to go on, the container has
    /// ended then, and the answer comes before the event `exited`. It may take long: later requests on the same
    /// connection get their answers after it, those on others do not wait. Earlier shims do not know it (`invalid`).
    case checkpoint(CheckpointPlace, leavesRunning: Bool)
    /// Changes limits; those that are not given stay.
    case update(resources: LinuxResources)
    /// Answered by `processes`.
    case processes
    /// Answered by `statistics`.
    case statistics
    /// Sets the size of the container's terminal, or an exec's; `conflict` if it has none.
    case resize(execID: String? = nil, columns: UInt16, rows: UInt16)
    /// Describes an additional process, which `execStart` begins. `process.terminal` decides whether it has a terminal.
    /// `note` is whatever the client wants to read in the answer to `execs`; the shim does not look at it, and earlier
    /// ones forget it.
    case exec(id: String, process: Process, openStdin: Bool, note: JSONValue? = nil)
    /// Begins it; answered by `started`, or by the error that made it impossible. Clients that want its output attach
    /// before; without any client it is discarded.
    case execStart(id: String)
    /// Answered by `execState`; `notFound` once a subscriber has been told of the exec's end: the shim forgets it then.
    case execState(id: String)
    /// Answered by `execs`; earlier shims do not know it (`invalid`).
    case execs
    /// Forgets an exec that does not run.
    case execDelete(id: String)
    /// Ends the standard input.
    case closeStdin(execID: String? = nil)
    /// Turns this connection, after the response `done`, into a stream: what is written to it is standard input (if
    /// `stdin`), shutting down its writing side is the end of that; what is read from it is output, raw with a
    /// terminal, else in Docker's frames (stream 1 or 2, three zeros, big-endian length, bytes). The shim closes it
    /// after the last byte of output when the process has ended.
    ///
    /// `detachKeys` (see `DetachKeys`) in the input of a terminal end the connection and nothing else; empty for none.
    /// `framing` is how the client wants its output, if not as the terminal decides; earlier shims do not know it.
    case attach(
        execID: String? = nil, stdin: Bool, stdout: Bool, stderr: Bool, detachKeys: [UInt8] = [],
        framing: StreamFraming? = nil)
    /// Only for a container that has ended: if it is the last one, the shim ends as soon as all attached clients have
    /// their output; else it forgets this one.
    case shutdown
    /// Creates another container beside the first, from the bundle in this directory (absolute path; files as in
    /// `ShimBundle`, but the socket and the pid, which are the shim's). Answered by `created`.
    ///
    /// The container shares the name spaces that its `config.json` joins by path: those of the first container
    /// (`/proc/<pid>/ns/…`), or a descriptor of any process (`/proc/<pid>/fd/…`). It has an id, streams, a log, an exit
    /// record and execs of its own. The built-in runtime makes all containers of a shim; with an external one the
    /// answer is `conflict`.
    case create(bundle: String)
    /// Answered by `containers`.
    case containers
    /// Answered by `published`: the ports that the shim has bound for the container.
    case publishedPorts
    /// Binds more ports; answered by `published` with these. They are closed to the network until `openPorts`, so that
    /// the firewall's elements can be added first.
    ///
    /// A port of the host that is one of `replacing`, which the container has and `unpublish` gives up afterwards, is
    /// handed over without ever being free; earlier shims do not know this and answer that it is in use.
    case publish(PortPublication, replacing: [PublishedPort]? = nil)
    /// Opens the ports that `publish` has bound. `start` does this for those that were bound before.
    case openPorts
    /// Gives up ports; those that the container does not have are none of its business. Connections that the shim
    /// carries end.
    case unpublish(ports: [PublishedPort])
    /// Sends what comes to all ports to other addresses from here on: the sandbox has joined or left a network.
    case retarget(PortTarget)
    /// Changes what the container's resolver answers, from the next query on: it has joined or left a network, or got
    /// other servers. A container without a resolver gets one; `nil` takes it away.
    case resolve(by: ResolverConfiguration?)
}

/// How output comes to a client that is attached.
package enum StreamFraming: String, Codable, Hashable, Sendable {
    /// The bytes as they are, of all streams that were asked for.
    case raw
    /// Docker's frames, which say of which stream the bytes are.
    case multiplexed
}

/// A request, and the container it is about.
///
/// On the wire the name stands beside the request, so that messages without one are those of versions that knew one
/// container.
package struct AddressedRequest: Hashable, Sendable {
    /// The container's id; `nil` is the shim's first container.
    package var container: String?
    /// What is asked.
    package var request: ShimRequest

    /// `request` about `container`.
    package init(_ request: ShimRequest, container: String? = nil) {
        self.request = request
        self.container = container
    }
}

private enum AddressKey: String, CodingKey {
    case container
}

extension AddressedRequest: Codable {
    package init(from decoder: any Decoder) throws {
        request = try ShimRequest(from: decoder)
        container = try decoder.container(keyedBy: AddressKey.self).decodeIfPresent(String.self, forKey: .container)
    }

    package func encode(to encoder: any Encoder) throws {
        try request.encode(to: encoder)
        var object = encoder.container(keyedBy: AddressKey.self)
        try object.encodeIfPresent(container, forKey: .container)
    }
}

/// A shim's answer.
package enum ShimResponse: Codable, Hashable, Sendable {
    /// It is done, and there is nothing to say.
    case done
    /// To `subscribe`, `state` and `start`.
    case state(ShimState)
    /// To `execStart`.
    case started(pid: Int32)
    /// To `execState`.
    case execState(ExecState)
    /// To `execs`: those that run or are about to, and those that have ended without anybody having been told, which
    /// `subscribe` tells.
    case execs([ShimExec])
    /// The pids of all processes in the container, as the host numbers them.
    case processes([Int32])
    /// To `statistics`.
    case statistics(ShimStatistics)
    /// To `create`: the new container's first process.
    case created(pid: Int32)
    /// To `containers`: all that the shim knows of, the first one first.
    case containers([ShimContainer])
    /// To `publishedPorts` and `publish`.
    case published([PublishedPort])
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

/// One of a shim's containers.
package struct ShimContainer: Codable, Hashable, Sendable {
    /// Its id.
    package var id: String
    /// Where it is in its life.
    package var state: ShimState

    /// The container `id`, in `state`.
    package init(id: String, state: ShimState) {
        self.id = id
        self.state = state
    }
}

/// An additional process that has begun, or is about to.
package struct ShimExec: Codable, Hashable, Sendable {
    /// Its id.
    package var id: String
    /// Whether it runs, or how it ended.
    package var state: ExecState
    /// What the client that described it wanted to read here.
    package var note: JSONValue?
    /// `true` for one in the state `created` that is about to begin: `execStarted` or `execExited` follows. Earlier
    /// shims do not tell of such an exec.
    package var isStarting: Bool?

    /// The exec `id`, in `state`.
    package init(id: String, state: ExecState, note: JSONValue? = nil, isStarting: Bool? = nil) {
        self.id = id
        self.state = state
        self.note = note
        self.isStarting = isStarting
    }
}

/// What happens in a container.
package enum ShimEvent: Codable, Hashable, Sendable {
    /// The container has ended: output is drained, the file `exit` written, the runtime's state and the cgroup removed,
    /// and with the last container the shim's socket. The shim ends by itself after that.
    case exited(ExitRecord)
    /// The program of an exec has begun.
    case execStarted(execID: String, pid: Int32)
    /// An exec has ended, and its output is drained; or it could not be started, and the client that wanted it has
    /// gone.
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
    /// Something has happened in a container; `nil` is the shim's first one.
    case event(ShimEvent, container: String? = nil)
}

extension ShimMessage: Codable {
    private enum Keys: String, CodingKey {
        case response, event, container
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        if let event = try container.decodeIfPresent(ShimEvent.self, forKey: .event) {
            self = .event(event, container: try container.decodeIfPresent(String.self, forKey: .container))
        } else {
            self = .response(try container.decode(ShimResponse.self, forKey: .response))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .response(let response): try container.encode(response, forKey: .response)
        case .event(let event, let origin):
            try container.encode(event, forKey: .event)
            try container.encodeIfPresent(origin, forKey: .container)
        }
    }
}
