import JSON

extension Linux {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        uidMappings = try fields.list("uidMappings", LinuxIDMapping.init(json:))
        gidMappings = try fields.list("gidMappings", LinuxIDMapping.init(json:))
        sysctl = try fields.dictionary("sysctl", JSONRead.string)
        resources = try fields.optional("resources", LinuxResources.init(json:))
        cgroupsPath = try fields.string("cgroupsPath")
        namespaces = try fields.list("namespaces", LinuxNamespace.init(json:))
        devices = try fields.list("devices", LinuxDevice.init(json:))
        netDevices = try fields.dictionary("netDevices") { value throws(JSONError) in
            LinuxNetDevice(name: try JSONFields(value).string("name"))
        }
        seccomp = try fields.optional("seccomp", LinuxSeccomp.init(json:))
        rootfsPropagation = try fields.string("rootfsPropagation")
        maskedPaths = try fields.strings("maskedPaths")
        readonlyPaths = try fields.strings("readonlyPaths")
        mountLabel = try fields.string("mountLabel")
        intelRdt = try fields.optional("intelRdt", LinuxIntelRdt.init(json:))
        personality = try fields.optional("personality", LinuxPersonality.init(json:))
        timeOffsets = try fields.dictionary("timeOffsets", LinuxTimeOffset.init(json:))
        memoryPolicy = try fields.optional("memoryPolicy", LinuxMemoryPolicy.init(json:))
    }
}

extension LinuxIDMapping {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            containerID: try fields.integer("containerID") ?? 0, hostID: try fields.integer("hostID") ?? 0,
            size: try fields.integer("size") ?? 0)
    }
}

extension LinuxNamespace {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        let type = try fields.required("type") { value throws(JSONError) in
            let name = try JSONRead.string(value)
            guard let type = LinuxNamespaceType(rawValue: name) else {
                throw JSONError.value(path: "", reason: "\"\(name)\" is not a type of namespace")
            }
            return type
        }
        self.init(type: type, path: try fields.string("path"))
    }
}

extension LinuxDevice {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            path: try fields.required("path", JSONRead.string), type: try fields.required("type", JSONRead.string),
            major: try fields.integer("major"), minor: try fields.integer("minor"))
        fileMode = try fields.integer("fileMode")
        uid = try fields.integer("uid")
        gid = try fields.integer("gid")
    }
}

extension LinuxIntelRdt {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        closID = try fields.string("closID")
        schemata = try fields.strings("schemata")
        l3CacheSchema = try fields.string("l3CacheSchema")
        memBwSchema = try fields.string("memBwSchema")
        enableMonitoring = try fields.bool("enableMonitoring")
    }
}

extension LinuxPersonality {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(domain: try fields.string("domain") ?? "")
        flags = try fields.strings("flags")
    }
}

extension LinuxTimeOffset {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        secs = try fields.integer("secs")
        nanosecs = try fields.integer("nanosecs")
    }
}

extension LinuxMemoryPolicy {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(mode: try fields.string("mode") ?? "")
        nodes = try fields.string("nodes")
        flags = try fields.strings("flags")
    }
}

// MARK: Seccomp

extension LinuxSeccomp {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(defaultAction: try fields.required("defaultAction", JSONRead.string))
        defaultErrnoRet = try fields.integer("defaultErrnoRet")
        architectures = try fields.strings("architectures")
        flags = try fields.strings("flags")
        listenerPath = try fields.string("listenerPath")
        listenerMetadata = try fields.string("listenerMetadata")
        syscalls = try fields.list("syscalls", LinuxSyscall.init(json:))
    }
}

extension LinuxSyscall {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            names: try fields.strings("names") ?? [], action: try fields.required("action", JSONRead.string),
            errnoRet: try fields.integer("errnoRet"), args: try fields.list("args", LinuxSeccompArg.init(json:)))
    }
}

extension LinuxSeccompArg {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            index: try fields.integer("index") ?? 0, value: try fields.integer("value") ?? 0,
            valueTwo: try fields.integer("valueTwo"), op: try fields.required("op", JSONRead.string))
    }
}
