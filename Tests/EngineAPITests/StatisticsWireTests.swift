import Cgroups
import Engine
import EngineAPI
import JSON
import OCISpec
import Testing

@Suite("Statistics on the wire") struct StatisticsWireTests {
    private func json(
        _ statistics: ContainerStatistics, previous: ContainerStatistics.Present? = nil, version: APIVersion = .v(51)
    ) throws -> JSONValue {
        let line = StatisticsWire.line(statistics, previous: previous, version: version)
        #expect(line.last == UInt8(ascii: "\n") && line.count { $0 == UInt8(ascii: "\n") } == 1)
        return try JSON.parse(line)
    }

    private func present(_ usage: CgroupSample) -> ContainerStatistics.Present {
        var network = InterfaceCounters(name: "eth0")
        network.received.bytes = 11
        network.sent.dropped = 12
        return ContainerStatistics.Present(
            read: Timestamp(seconds: 1_700_000_000, nanoseconds: 5), usage: usage, systemCPU: 99, onlineCPUs: 2,
            machineMemory: 1 << 30, networks: [network])
    }

    @Test("a container that does not run has its name, its id and nothing else")
    func stopped() throws {
        let shown = try json(ContainerStatistics(id: "abc", name: "web"), version: .v(52))
        let zero =
            #"{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},"#
            + #""throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}}"#
        let lists = ["service_bytes", "serviced", "queue", "service_time", "wait_time", "merged", "time"]
            .map { #""io_\#($0)_recursive":null"# }.joined(separator: ",")
        #expect(
            String(decoding: shown.serialized(), as: UTF8.self)
                == #"{"id":"abc","name":"/web","os_type":"linux","read":"0001-01-01T00:00:00Z","cpu_stats":\#(zero),"#
                + #""memory_stats":{},"pids_stats":{},"blkio_stats":{\#(lists),"sectors_recursive":null},"#
                + #""num_procs":0,"storage_stats":{},"preread":"0001-01-01T00:00:00Z","precpu_stats":\#(zero)}"#)
        #expect(try json(ContainerStatistics(id: "abc", name: "web"))["os_type"] == nil)
    }

    @Test("one of version 2 has 31 kinds of memory, the machine's memory as its limit, and bytes alone of its devices")
    func unified() throws {
        var usage = CgroupSample(isUnified: true)
        usage.cpuTotal = 1000
        usage.cpuUser = 600
        usage.cpuSystem = 400
        usage.memoryUsage = 4096
        usage.memoryLimit = .max
        usage.pids = 3
        usage.pidsLimit = 7
        usage.blockIO[0] = [.init(major: 8, minor: 1, operation: "read", value: 5)]
        let now = present(usage)
        let shown = try json(ContainerStatistics(id: "abc", name: "web", present: now), previous: now)
        #expect(shown["read"]?.string == "2023-11-14T22:13:20.000000005Z")
        #expect(shown["cpu_stats"]?["cpu_usage"]?["total_usage"]?.int == 1000)
        #expect(shown["cpu_stats"]?["cpu_usage"]?["percpu_usage"] == nil)
        #expect(shown["cpu_stats"]?["system_cpu_usage"]?.int == 99 && shown["cpu_stats"]?["online_cpus"]?.int == 2)
        #expect(shown["precpu_stats"] == shown["cpu_stats"] && shown["preread"] == shown["read"])
        let memory = shown["memory_stats"]
        #expect(memory?["stats"]?.object?.count == 31 && memory?["limit"]?.int == 1 << 30)
        #expect(memory?["usage"]?.int == 4096 && memory?["max_usage"] == nil && memory?["failcnt"] == nil)
        #expect(shown["pids_stats"]?["current"]?.int == 3 && shown["pids_stats"]?["limit"]?.int == 7)
        #expect(shown["networks"]?["eth0"]?["rx_bytes"]?.int == 11)
        #expect(shown["networks"]?["eth0"]?["tx_dropped"]?.int == 12)
        #expect(shown["networks"]?["eth0"]?.object?.count == 8)
        #expect(shown["blkio_stats"]?["io_service_bytes_recursive"]?[0]?["op"]?.string == "read")
        #expect(shown["blkio_stats"]?["io_serviced_recursive"] == .some(.null))
        #expect(shown["blkio_stats"]?.object?.count == 8)
    }

    @Test("one of version 1 has its processors, 32 kinds of memory, and lists for all that is counted")
    func legacy() throws {
        var usage = CgroupSample(isUnified: false)
        usage.perCPU = [3, 4]
        usage.memoryMaximum = 8192
        usage.memoryLimit = 1 << 20
        usage.memoryFailures = 1
        let shown = try json(ContainerStatistics(id: "abc", name: "web", present: present(usage)))
        #expect(shown["cpu_stats"]?["cpu_usage"]?["percpu_usage"] == [3, 4])
        let memory = shown["memory_stats"]
        #expect(memory?["stats"]?.object?.count == 32 && memory?["limit"]?.int == 1 << 20)
        #expect(memory?["max_usage"]?.int == 8192 && memory?["failcnt"]?.int == 1)
        #expect(shown["blkio_stats"]?["io_serviced_recursive"] == [])
        #expect(shown["preread"]?.string == "0001-01-01T00:00:00Z")
        #expect(shown["precpu_stats"]?["system_cpu_usage"] == nil)
    }

    @Test("names of interfaces are data")
    func hostileName() throws {
        var now = present(CgroupSample(isUnified: true))
        now.networks[0].name = "a\"b"
        #expect(
            try json(ContainerStatistics(id: "abc", name: "web", present: now))["networks"]?["a\"b"]?["rx_bytes"]?.int
                == 11)
    }
}
