import Cgroups
import Engine
import JSON
import OCISpec

/// What `GET /containers/{id}/stats` sends, line by line.
///
/// It is written without a model: `Codable` would cost more than all the reading for hundreds of containers a second.
package enum StatisticsWire {
    /// The numbers of one moment, with those of the one before for clients that compute rates.
    package static func line(
        _ statistics: ContainerStatistics, previous: ContainerStatistics.Present?, version: APIVersion
    ) -> [UInt8] {
        var text = JSONText(capacity: 4096)
        let present = statistics.present
        text.open("id")
        text.string(statistics.id)
        text.key("name")
        text.string("/" + statistics.name)
        if version >= .v(52) {
            text.key("os_type")
            text.string("linux")
        }
        text.key("read")
        text.string((present?.read ?? .zero).description)
        text.key("cpu_stats")
        text.processors(present)
        text.key("memory_stats")
        text.memory(present)
        if let networks = present?.networks, !networks.isEmpty {
            text.key("networks")
            text.networks(networks)
        }
        text.key("pids_stats")
        text.begin()
        text.nonzero("current", present?.usage.pids ?? 0)
        text.nonzero("limit", present?.usage.pidsLimit ?? 0)
        text.end()
        text.key("blkio_stats")
        text.blockIO(present?.usage)
        text.number("num_procs", 0)
        text.key("storage_stats")
        text.begin()
        text.end()
        text.key("preread")
        text.string((previous?.read ?? .zero).description)
        text.key("precpu_stats")
        text.processors(previous)
        text.end()
        text.bytes.append(0x0A)
        return text.bytes
    }
}

extension JSONText {
    fileprivate mutating func processors(_ present: ContainerStatistics.Present?) {
        let usage = present?.usage
        open("cpu_usage")
        begin()
        number("total_usage", usage?.cpuTotal ?? 0)
        if let perCPU = usage?.perCPU, !perCPU.isEmpty {
            key("percpu_usage")
            bytes.append(UInt8(ascii: "["))
            for (index, value) in perCPU.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                number(value)
            }
            bytes.append(UInt8(ascii: "]"))
        }
        number("usage_in_kernelmode", usage?.cpuSystem ?? 0)
        number("usage_in_usermode", usage?.cpuUser ?? 0)
        end()
        nonzero("system_cpu_usage", present?.systemCPU ?? 0)
        nonzero("online_cpus", UInt64(present?.onlineCPUs ?? 0))
        key("throttling_data")
        begin()
        number("periods", usage?.periods ?? 0)
        number("throttled_periods", usage?.throttledPeriods ?? 0)
        number("throttled_time", usage?.throttledTime ?? 0)
        end()
        end()
    }

    fileprivate mutating func memory(_ present: ContainerStatistics.Present?) {
        begin()
        if let present {
            let usage = present.usage
            nonzero("usage", usage.memoryUsage)
            nonzero("max_usage", usage.memoryMaximum)
            key("stats")
            begin()
            for (name, value) in zip(usage.memoryNames, usage.memoryDetails) { number(name, value) }
            end()
            nonzero("failcnt", usage.memoryFailures)
            // Without a limit of its own a container may take what the machine has.
            nonzero(
                "limit", present.machineMemory > 0 ? min(usage.memoryLimit, present.machineMemory) : usage.memoryLimit)
        }
        end()
    }

    fileprivate mutating func networks(_ networks: [InterfaceCounters]) {
        begin()
        for network in networks {
            if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
            string(network.name)
            bytes.append(UInt8(ascii: ":"))
            begin()
            number("rx_bytes", network.received.bytes)
            number("rx_packets", network.received.packets)
            number("rx_errors", network.received.errors)
            number("rx_dropped", network.received.dropped)
            number("tx_bytes", network.sent.bytes)
            number("tx_packets", network.sent.packets)
            number("tx_errors", network.sent.errors)
            number("tx_dropped", network.sent.dropped)
            end()
        }
        end()
    }

    fileprivate mutating func blockIO(_ usage: CgroupSample?) {
        begin()
        for list in CgroupSample.BlockList.allCases {
            key(Self.name(list))
            let entries = usage?.blockIO[list.rawValue] ?? []
            // Docker's daemon has lists of version 1 alone where nothing was counted.
            guard !entries.isEmpty || usage?.isUnified == false else {
                bytes += Array("null".utf8)
                continue
            }
            bytes.append(UInt8(ascii: "["))
            for (index, entry) in entries.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                begin()
                number("major", entry.major)
                number("minor", entry.minor)
                key("op")
                string(entry.operation)
                number("value", entry.value)
                end()
            }
            bytes.append(UInt8(ascii: "]"))
        }
        end()
    }

    private static func name(_ list: CgroupSample.BlockList) -> StaticString {
        switch list {
        case .bytes: "io_service_bytes_recursive"
        case .operations: "io_serviced_recursive"
        case .queued: "io_queue_recursive"
        case .serviceTime: "io_service_time_recursive"
        case .waitTime: "io_wait_time_recursive"
        case .merged: "io_merged_recursive"
        case .time: "io_time_recursive"
        case .sectors: "sectors_recursive"
        }
    }
}
