import EngineAPIModel
import Flags
import JSON

extension ContainerCommands {
    private static let publishAdd = Flag.list("publish-add", "Publish a container's port(s) to the host")
    private static let publishRm = Flag.list("publish-rm", "Stop publishing a container's port(s) to the host")
    private static let restart = Flag.string("restart", "Restart policy to apply when a container exits")

    /// Those of `run` and `create` that can be changed later.
    private static var limits: [any FlagDeclaration] {
        [
            ContainerFlags.blkioWeight, ContainerFlags.blkioWeightDevice, ContainerFlags.cpuPeriod,
            ContainerFlags.cpuQuota, ContainerFlags.cpuRealtimePeriod, ContainerFlags.cpuRealtimeRuntime,
            ContainerFlags.cpuShares, ContainerFlags.cpus, ContainerFlags.cpusetCPUs, ContainerFlags.cpusetMems,
            ContainerFlags.deviceReadBps, ContainerFlags.deviceReadIOps, ContainerFlags.deviceWriteBps,
            ContainerFlags.deviceWriteIOps, ContainerFlags.memory, ContainerFlags.memoryReservation,
            ContainerFlags.memorySwap, ContainerFlags.pidsLimit,
        ]
    }

    static func update(_ placement: Placement) -> Command {
        Command(
            "update", operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1),
            "Update configuration of one or more containers",
            discussion: """
                Limits of a container that runs change at once. Ports are written as for "run --publish". To stop
                publishing a port, name the container's port alone for all its places on the host, or with the port and
                the address of the host for one of them. Either everything is changed or nothing.
                """,
            examples: [
                .init("Give a container that runs more memory", "masu update --memory 1g --memory-swap 2g web"),
                .init("Publish one more port of a container that runs", "masu update --publish-add 8443:443 web"),
                .init(
                    "Let a port of the host lead to another port of the container",
                    "masu update --publish-rm 8080:80 --publish-add 8080:8000 web"),
            ],
            spellings: ["masu container update", "masu update"],
            flags: { limits + [restart, publishAdd, publishRm] },
            action: { invocation in
                let flags = invocation.flags
                guard (limits + [restart, publishAdd, publishRm]).contains(where: { flags.isSet($0.definition) }) else {
                    throw CommandError("you must provide one or more flags when using this command")
                }
                let request = try request(flags)
                let client = try DaemonClient(invocation)
                var warnings: [String] = []
                let status = try each(invocation.operands) { name in
                    let answer = try client.call(
                        HTTPRequest("POST", path(name, "/update"), body: try JSON.encode(request)),
                        as: ContainerUpdateResponse.self)
                    warnings += answer.warnings
                    return name
                }
                if !warnings.isEmpty { try Console.print(warnings.joined(separator: "\n")) }
                return status
            })
    }

    private static func request(_ flags: ParsedFlags) throws(CommandError) -> ContainerUpdateRequest {
        var request = ContainerUpdateRequest()
        request.setLimits(flags)
        request.blkioWeightDevice = flags.given(ContainerFlags.blkioWeightDevice)
        request.blkioDeviceReadBps = flags.given(ContainerFlags.deviceReadBps)
        request.blkioDeviceWriteBps = flags.given(ContainerFlags.deviceWriteBps)
        request.blkioDeviceReadIOps = flags.given(ContainerFlags.deviceReadIOps)
        request.blkioDeviceWriteIOps = flags.given(ContainerFlags.deviceWriteIOps)
        // 0 is how docker says that nothing was asked for.
        request.pidsLimit = flags[ContainerFlags.pidsLimit] == 0 ? nil : Int64(flags[ContainerFlags.pidsLimit])
        let policy = flags[restart]
        if !policy.isEmpty { request.restartPolicy = try ResourceTexts.restartPolicy(policy) }
        request.publishAdd = try bindings(flags[publishAdd])
        request.publishRm = try bindings(flags[publishRm])
        return request
    }

    private static func bindings(_ texts: [String]) throws(CommandError) -> [String: [PortBinding]?]? {
        var ports: [PortSpecification] = []
        for text in texts { ports += try PortSpecification.parse(text) }
        return ports.isEmpty ? nil : PortSpecification.bindings(ports)
    }
}
