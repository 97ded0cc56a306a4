import Cgroups
import ContainerRuntime
import Flags
import JSON
import LinuxKernel
import Resctrl
import SystemPackage

/// `events`: what a container uses, and when it runs out of memory, as lines of JSON.
enum EventsCommand {
    private static let stats = Flag.boolean("stats", "Print the statistics once, then exit")
    private static let interval = Flag.duration(
        "interval", "Time between two statistics", default: 5_000_000_000, defaultText: "5s")

    static let events = Command(
        "events", operands: "CONTAINER", arity: .exactly(1),
        "Print a container's statistics and out-of-memory events as JSON until the container is gone",
        flags: { [stats, interval] },
        action: { invocation in
            let nanoseconds = invocation.flags[interval]
            guard nanoseconds > 0 else { throw RuntimeError(.invalid, "duration interval must be greater than 0") }
            let runtime = try RuntimeCommands.runtime(invocation)
            let id = invocation.operands[0]
            guard try runtime.state(id).status != .stopped else {
                throw RuntimeError(.conflict, "container with id \(id) is not running")
            }
            let cgroup = try runtime.cgroup(id)
            let serviceClass = try runtime.serviceClass(id)
            if invocation.flags[stats] {
                try printStatistics(id, cgroup, serviceClass)
            } else if let cgroup {
                try follow(id, cgroup, serviceClass, milliseconds: max(1, nanoseconds / 1_000_000))
            } else {
                throw RuntimeError(.conflict, "cannot watch container \(id): it has no control group")
            }
            return 0
        })

    private static func printStatistics(_ id: String, _ cgroup: Cgroup?, _ serviceClass: ServiceClass?) throws {
        let event: JSONValue = [
            "type": "stats", "id": .string(id),
            "data": cgroup.map { StatisticsDocument(cgroup: $0, serviceClass: serviceClass).value }
                ?? StatisticsDocument.empty,
        ]
        try Output.print(event.serialized())
    }

    private static func follow(
        _ id: String, _ cgroup: Cgroup, _ serviceClass: ServiceClass?, milliseconds: Int64
    ) throws {
        // A machine that does not count memory has no lack of it to report.
        let watch = try? OutOfMemoryWatch(cgroup)
        defer { watch?.close() }
        let timer = try TimerFD()
        defer { timer.descriptor.discard() }
        try timer.set(milliseconds: milliseconds, interval: milliseconds)
        var kills = cgroup.outOfMemoryKills()
        var interests: [(descriptor: FileDescriptor, events: ReadyEvents)] = [(timer.descriptor, .readable)]
        if let watch { interests.append((watch.descriptor, .readable)) }
        while true {
            let ready = try Poll.wait(for: interests)
            // The removal of the group is an event as well.
            guard cgroup.directories.contains(where: Files.exists) else { return }
            if ready.count > 1, !ready[1].isEmpty, let watch {
                watch.take()
                // The file of version 2 changes for milder things, too; on version 1 there is one kind of event only.
                let now = cgroup.outOfMemoryKills()
                if !cgroup.isUnified || now > kills {
                    let event: JSONValue = ["type": "oom", "id": .string(id)]
                    try Output.print(event.serialized())
                }
                kills = now
            }
            if !ready[0].isEmpty {
                _ = try timer.take()
                try printStatistics(id, cgroup, serviceClass)
            }
        }
    }
}
