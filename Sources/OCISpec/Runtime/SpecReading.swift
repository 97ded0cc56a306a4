import JSON

extension Spec {
    /// Reads a configuration. A number or text that is left out is 0 or empty where the specification's own (Go) types
    /// make it so.
    ///
    /// - Throws: `JSONError` with the path of what does not fit.
    package init(json bytes: [UInt8]) throws(JSONError) {
        let fields = try JSONFields(JSON.parse(bytes))
        self.init(ociVersion: try fields.required("ociVersion", JSONRead.string))
        process = try fields.optional("process", Process.init(json:))
        root = try fields.optional("root", Root.init(json:))
        hostname = try fields.string("hostname")
        domainname = try fields.string("domainname")
        mounts = try fields.list("mounts", Mount.init(json:))
        hooks = try fields.optional("hooks", Hooks.init(json:))
        annotations = try fields.dictionary("annotations", JSONRead.string)
        linux = try fields.optional("linux", Linux.init(json:))
    }
}

extension Root {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(path: try fields.required("path", JSONRead.string), readonly: try fields.bool("readonly"))
    }
}

extension Mount {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            destination: try fields.required("destination", JSONRead.string), type: try fields.string("type"),
            source: try fields.string("source"), options: try fields.strings("options"))
        uidMappings = try fields.list("uidMappings", LinuxIDMapping.init(json:))
        gidMappings = try fields.list("gidMappings", LinuxIDMapping.init(json:))
    }
}

extension Hooks {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        prestart = try fields.list("prestart", Hook.init(json:))
        createRuntime = try fields.list("createRuntime", Hook.init(json:))
        createContainer = try fields.list("createContainer", Hook.init(json:))
        startContainer = try fields.list("startContainer", Hook.init(json:))
        poststart = try fields.list("poststart", Hook.init(json:))
        poststop = try fields.list("poststop", Hook.init(json:))
    }
}

extension Hook {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            path: try fields.required("path", JSONRead.string), args: try fields.strings("args"),
            env: try fields.strings("env"), timeout: try fields.integer("timeout"))
    }
}

// MARK: Process

extension Process {
    /// Reads one alone, as for `exec`.
    package init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            args: try fields.strings("args"), cwd: try fields.string("cwd") ?? "", env: try fields.strings("env"),
            user: try fields.optional("user", User.init(json:)) ?? User(uid: 0, gid: 0))
        terminal = try fields.bool("terminal")
        consoleSize = try fields.optional("consoleSize", Box.init(json:))
        capabilities = try fields.optional("capabilities", LinuxCapabilities.init(json:))
        rlimits = try fields.list("rlimits", POSIXRlimit.init(json:))
        noNewPrivileges = try fields.bool("noNewPrivileges")
        apparmorProfile = try fields.string("apparmorProfile")
        oomScoreAdj = try fields.integer("oomScoreAdj")
        selinuxLabel = try fields.string("selinuxLabel")
        ioPriority = try fields.optional("ioPriority", LinuxIOPriority.init(json:))
        scheduler = try fields.optional("scheduler", Scheduler.init(json:))
        execCPUAffinity = try fields.optional("execCPUAffinity", CPUAffinity.init(json:))
    }
}

extension Box {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            height: try fields.integer("height") ?? 0, width: try fields.integer("width") ?? 0)
    }
}

extension User {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            uid: try fields.integer("uid") ?? 0, gid: try fields.integer("gid") ?? 0,
            additionalGids: try fields.list("additionalGids", JSONRead.integer), umask: try fields.integer("umask"))
        username = try fields.string("username")
    }
}

extension LinuxCapabilities {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        bounding = try fields.strings("bounding")
        effective = try fields.strings("effective")
        inheritable = try fields.strings("inheritable")
        permitted = try fields.strings("permitted")
        ambient = try fields.strings("ambient")
    }
}

extension POSIXRlimit {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            type: try fields.required("type", JSONRead.string), soft: try fields.integer("soft") ?? 0,
            hard: try fields.integer("hard") ?? 0)
    }
}

extension LinuxIOPriority {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(class: try fields.string("class") ?? "", priority: try fields.integer("priority"))
    }
}

extension Scheduler {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(policy: try fields.required("policy", JSONRead.string))
        nice = try fields.integer("nice")
        priority = try fields.integer("priority")
        flags = try fields.strings("flags")
        runtime = try fields.integer("runtime")
        deadline = try fields.integer("deadline")
        period = try fields.integer("period")
    }
}

extension CPUAffinity {
    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init()
        initial = try fields.string("initial")
        final = try fields.string("final")
    }
}
