import Engine
import EngineAPI
import EngineAPIModel
import JSON
import Testing

@Suite("Updates on the wire") struct UpdateWireTests {
    private func change(_ json: String, version: APIVersion = .v(51)) throws -> (ContainerChange, [String]) {
        var warnings: [String] = []
        let document = try JSON.parse(Array(json.utf8))
        let wire = try JSON.decode(ContainerUpdateRequest.self, from: document, ignoringCase: true)
        let change = try ContainerChange(wire, version: version, document: document, warnings: &warnings)
        return (change, warnings)
    }

    @Test("the zero values that docker sends ask for nothing")
    func zero() throws {
        let (change, warnings) = try change(
            #"{"CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":null,"#
                + #""CpusetCpus":"","Devices":null,"MemorySwappiness":null,"OomKillDisable":null,"PidsLimit":null,"#
                + #""Ulimits":null,"CpuCount":0,"IOMaximumIOps":0,"RestartPolicy":{"Name":"","MaximumRetryCount":0}}"#)
        #expect(change == ContainerChange() && warnings.isEmpty)
    }

    @Test("limits, policy and ports are read")
    func all() throws {
        let (change, _) = try change(
            #"{"memory":8388608,"MemorySwap":-1,"NanoCpus":5,"CpusetCpus":"0","PidsLimit":-5,"BlkioWeight":300,"#
                + #""RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"PublishAdd":{"80/tcp":[{}]}}"#)
        #expect(change.limits.memory == 8 << 20 && change.limits.memorySwap == -1 && change.limits.nanoCPUs == 5)
        #expect(change.limits.cpusetCPUs == "0" && change.limits.pidsLimit == 0 && change.limits.blkioWeight == 300)
        #expect(change.restartPolicy == .onFailure(maximumRetryCount: 3) && change.ports.added.count == 1)
    }

    @Test("what an old client cannot have meant is not done")
    func versions() throws {
        #expect(try change(#"{"PidsLimit":5}"#, version: .v(39)).0.limits.pidsLimit == nil)
        #expect(try change(#"{"KernelMemory":5}"#, version: .v(41)).0.limits.kernelMemory == 5)
        #expect(try change(#"{"KernelMemory":5}"#, version: .v(42)).0.limits.kernelMemory == nil)
        let devices = #"{"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":5}],"BlkioDeviceWriteBps":[]}"#
        let (old, warnings) = try change(devices, version: .v(54))
        #expect(old == ContainerChange() && warnings.count == 1)
        let (new, none) = try change(devices, version: .v(55))
        #expect(new.limits.blkioDeviceReadBps?.first?.rate == 5 && new.limits.blkioDeviceWriteBps == [])
        #expect(new.limits.blkioDeviceReadIOps == nil && none.isEmpty)
    }

    @Test("what no update changes is told of")
    func fixed() throws {
        let (change, warnings) = try change(#"{"Ulimits":[{"Name":"core","Soft":1,"Hard":1}],"memoryswappiness":5}"#)
        #expect(change == ContainerChange())
        #expect(warnings == ["MemorySwappiness, Ulimits cannot be changed by an update. Discarded."])
    }

    @Test(
        "what cannot be is refused",
        arguments: [
            #"{"IOMaximumIOps":1}"#, #"{"RestartPolicy":{"Name":"sometimes"}}"#, #"{"PublishAdd":{"80/tcp":[]}}"#,
            #"{"RestartPolicy":{"Name":"always","MaximumRetryCount":1}}"#, #"{"PublishRm":{"x":[]}}"#,
        ])
    func refused(json: String) {
        #expect(throws: (any Error).self) { try change(json) }
    }
}
