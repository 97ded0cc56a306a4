import ContainerRuntime
import Flags
import LinuxKernel

/// Commands that change a container that exists.
enum LifeCommands {
    private static let all = Flag.boolean("all", short: "a", "Send the signal to all processes in the container")
    private static let force = Flag.boolean("force", short: "f", "Kill the container first if it runs")

    static let start = Command(
        "start", operands: "CONTAINER", arity: .exactly(1), "Execute the program of a created container",
        action: { invocation in
            try RuntimeCommands.runtime(invocation).start(invocation.operands[0])
            return 0
        })

    static let kill = Command(
        "kill", operands: "CONTAINER [SIGNAL]", arity: .between(1, 2),
        "Send a signal (TERM by default) to a container's first process", flags: { [all] },
        action: { invocation in
            let name = invocation.operands.count > 1 ? invocation.operands[1] : "TERM"
            // Sending 0 sends no signal; the result tells whether the process exists.
            guard let signal = Int32(name) == 0 ? 0 : Signal(name)?.rawValue else {
                throw RuntimeError(.invalid, "unknown signal \"\(name)\"")
            }
            let everybody = invocation.flags[all]
            do {
                try RuntimeCommands.runtime(invocation).kill(invocation.operands[0], signal: signal, all: everybody)
            } catch let error as RuntimeError where everybody && error.kind == .conflict {
                // None are left of all processes: nothing to be done, and nothing wrong.
            }
            return 0
        })

    static let delete = Command(
        "delete", operands: "CONTAINER", arity: .exactly(1), "Remove a stopped container's cgroup and state",
        flags: { [force] },
        action: { invocation in
            let log = ErrorLog(invocation.flags)
            try RuntimeCommands.runtime(invocation).delete(
                invocation.operands[0], force: invocation.flags[force], warn: { log.warn($0) })
            return 0
        })

    static let pause = Command(
        "pause", operands: "CONTAINER", arity: .exactly(1), "Freeze all processes of a container",
        action: { invocation in
            try RuntimeCommands.runtime(invocation).pause(invocation.operands[0])
            return 0
        })

    static let resume = Command(
        "resume", operands: "CONTAINER", arity: .exactly(1), "Thaw all processes of a paused container",
        action: { invocation in
            try RuntimeCommands.runtime(invocation).resume(invocation.operands[0])
            return 0
        })
}
