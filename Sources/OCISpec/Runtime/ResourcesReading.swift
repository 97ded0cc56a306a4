import JSON

extension LinuxResources {
    /// Reads them alone, as for `update`.
    package init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        devices = try fields.list("devices", LinuxDeviceCgroup.init(json:))
        memory = try fields.optional("memory", LinuxMemory.init(json:))
        cpu = try fields.optional("cpu", LinuxCPU.init(json:))
        pids = try fields.optional("pids") { value throws(JSONError) in
            LinuxPids(limit: try JSONFields(value).integer("limit"))
        }
        blockIO = try fields.optional("blockIO", LinuxBlockIO.init(json:))
        hugepageLimits = try fields.list("hugepageLimits", LinuxHugepageLimit.init(json:))
        network = try fields.optional("network", LinuxNetwork.init(json:))
        rdma = try fields.dictionary("rdma", LinuxRdma.init(json:))
        unified = try fields.dictionary("unified", JSONRead.string)
    }
}

extension LinuxDeviceCgroup {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            allow: try fields.bool("allow") ?? false, type: try fields.string("type"),
            major: try fields.integer("major"), minor: try fields.integer("minor"), access: try fields.string("access"))
    }
}

extension LinuxMemory {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        limit = try fields.integer("limit")
        reservation = try fields.integer("reservation")
        swap = try fields.integer("swap")
        kernel = try fields.integer("kernel")
        kernelTCP = try fields.integer("kernelTCP")
        swappiness = try fields.integer("swappiness")
        disableOOMKiller = try fields.bool("disableOOMKiller")
        useHierarchy = try fields.bool("useHierarchy")
        checkBeforeUpdate = try fields.bool("checkBeforeUpdate")
    }
}

extension LinuxCPU {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        shares = try fields.integer("shares")
        quota = try fields.integer("quota")
        burst = try fields.integer("burst")
        period = try fields.integer("period")
        realtimeRuntime = try fields.integer("realtimeRuntime")
        realtimePeriod = try fields.integer("realtimePeriod")
        cpus = try fields.string("cpus")
        mems = try fields.string("mems")
        idle = try fields.integer("idle")
    }
}

extension LinuxBlockIO {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        weight = try fields.integer("weight")
        leafWeight = try fields.integer("leafWeight")
        weightDevice = try fields.list("weightDevice", LinuxWeightDevice.init(json:))
        throttleReadBpsDevice = try fields.list("throttleReadBpsDevice", LinuxThrottleDevice.init(json:))
        throttleWriteBpsDevice = try fields.list("throttleWriteBpsDevice", LinuxThrottleDevice.init(json:))
        throttleReadIOPSDevice = try fields.list("throttleReadIOPSDevice", LinuxThrottleDevice.init(json:))
        throttleWriteIOPSDevice = try fields.list("throttleWriteIOPSDevice", LinuxThrottleDevice.init(json:))
    }
}

extension LinuxWeightDevice {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            major: try fields.required("major", JSONRead.integer),
            minor: try fields.required("minor", JSONRead.integer),
            weight: try fields.integer("weight"))
        leafWeight = try fields.integer("leafWeight")
    }
}

extension LinuxThrottleDevice {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            major: try fields.required("major", JSONRead.integer),
            minor: try fields.required("minor", JSONRead.integer),
            rate: try fields.required("rate", JSONRead.integer))
    }
}

extension LinuxHugepageLimit {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        // To runc the case of letters means nothing, and this is how some callers write it.
        let other = try fields.string("pagesize")
        self.init(
            pageSize: try fields.required(other == nil ? "pageSize" : "pagesize", JSONRead.string),
            limit: try fields.required("limit", JSONRead.integer))
    }
}

extension LinuxNetwork {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        classID = try fields.integer("classID")
        priorities = try fields.list("priorities") { value throws(JSONError) in
            let fields = try JSONFields(value)
            return LinuxInterfacePriority(
                name: try fields.required("name", JSONRead.string),
                priority: try fields.required("priority", JSONRead.integer))
        }
    }
}

extension LinuxRdma {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        hcaHandles = try fields.integer("hcaHandles")
        hcaObjects = try fields.integer("hcaObjects")
    }
}
