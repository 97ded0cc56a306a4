import Engine
import OCISpec
import Testing

@Suite("Changes of limits") struct ResourceChangeTests {
    private func change(_ body: (inout ResourceChange) -> Void) -> ResourceChange {
        var change = ResourceChange()
        body(&change)
        return change
    }

    private func limits(_ body: (inout ResourceLimits) -> Void = { _ in }) -> ResourceLimits {
        var limits = ResourceLimits()
        body(&limits)
        return limits
    }

    private func refusal(_ change: ResourceChange, _ limits: ResourceLimits) -> String? {
        do throws(EngineError) {
            _ = try change.applied(to: limits)
            return nil
        } catch {
            return error.kind == .conflict ? error.message : "not a conflict"
        }
    }

    @Test("what is not given stays")
    func partial() throws {
        let before = limits {
            $0.memory = 100 << 20
            $0.memorySwap = 200 << 20
            $0.cpuShares = 512
            $0.cpusetCPUs = "0"
        }
        let after = try change {
            $0.memory = 150 << 20
            $0.pidsLimit = 0
        }.applied(to: before)
        #expect(after.memory == 150 << 20 && after.memorySwap == 200 << 20 && after.cpuShares == 512)
        #expect(after.cpusetCPUs == "0" && after.pidsLimit == 0)
        #expect(try ResourceChange().applied(to: before) == before)
    }

    @Test("what contradicts the present limits is refused in Docker's words")
    func conflicts() {
        let nano = limits { $0.nanoCPUs = 1_000_000_000 }
        #expect(
            refusal(change { $0.cpuPeriod = 1000 }, nano)
                == "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")
        #expect(
            refusal(change { $0.cpuQuota = 1000 }, nano)
                == "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
        #expect(
            refusal(change { $0.nanoCPUs = 1 }, limits { $0.cpuPeriod = 1000 })
                == "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set")
        #expect(
            refusal(change { $0.nanoCPUs = 1 }, limits { $0.cpuQuota = 1000 })
                == "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
        let tooMuch =
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        #expect(refusal(change { $0.memory = 300 }, limits { $0.memorySwap = 200 }) == tooMuch)
        #expect(refusal(change { $0.memory = 300 }, limits()) == tooMuch)
        #expect(refusal(change { $0.memory = 300 }, limits { $0.memorySwap = -1 }) == tooMuch)
        #expect(
            refusal(
                change {
                    $0.memory = 300
                    $0.memorySwap = -1
                }, limits()) == nil)
    }

    @Test("a runtime is told of what changes, and of how it was")
    func resources() throws {
        let before = limits {
            $0.memory = 100 << 20
            $0.memorySwap = 200 << 20
            $0.cpuShares = 512
        }
        let change = change {
            $0.memory = 150 << 20
            $0.cpuQuota = 50_000
            $0.pidsLimit = 0
        }
        let update = ResourceUpdate(change, from: before, to: try change.applied(to: before))
        let there = try update.resources()
        #expect(there.memory?.limit == 150 << 20 && there.memory?.swap == 200 << 20)
        #expect(there.memory?.reservation == nil)
        #expect(there.cpu?.quota == 50_000 && there.cpu?.period == nil && there.cpu?.shares == nil)
        #expect(there.pids?.limit == -1 && there.blockIO == nil && there.devices == nil)
        let back = try update.restoration()
        #expect(back.memory?.limit == 100 << 20 && back.memory?.swap == 200 << 20)
        #expect(back.cpu?.quota == -1 && back.pids?.limit == -1)
    }

    @Test("a number of processors is a quota in a period")
    func nanoCPUs() throws {
        let change = change { $0.nanoCPUs = 1_500_000_000 }
        let update = ResourceUpdate(change, from: limits(), to: try change.applied(to: limits()))
        let (there, back) = (try update.resources(), try update.restoration())
        #expect(there.cpu?.quota == 150_000 && there.cpu?.period == 100_000)
        #expect(back.cpu?.quota == -1 && back.cpu?.period == 100_000)
    }

    @Test("nothing changes if nothing is asked for")
    func nothing() throws {
        let limits = limits { $0.memory = 100 << 20 }
        #expect(try ResourceUpdate(ResourceChange(), from: limits, to: limits).resources() == LinuxResources())
    }
}
