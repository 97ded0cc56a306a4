import Cgroups
import JSON
import LinuxKernel
import OCISpec
import Resctrl
import SystemPackage

/// What is kept of a container in `<root>/<id>/state.json`. Everything else is asked of the kernel.
struct StoredContainer: Hashable, Sendable {
    var ociVersion: String
    var id: String
    /// The first process in the pid namespace of the runtime that created it.
    var pid: Int32
    /// When that process began, in clock ticks since boot: a pid alone may by now be somebody else's.
    var startTime: UInt64
    var bundle: String
    var rootfs: String
    var created: Timestamp
    var owner: UInt32
    /// The control group's path; not there for a container without one.
    var cgroupPath: String?
    /// The hierarchies of version 1 the group is in, by their controllers; not there if it is in all of them.
    var cgroupControllers: [String]?
    /// Its share of caches and memory bandwidth; not there for a container that has everybody's.
    var serviceClass: ServiceClass?
    /// The unit of systemd that the control group is of; not there where systemd has no part in it.
    var unit: SystemdUnit?
    /// The namespaces that are not the runtime's own.
    var namespaces: [LinuxNamespaceType]
    /// Whether it was given a pid namespace of its own, with which all its processes end when the first one does.
    /// Not there in what earlier versions wrote.
    var hasOwnPIDNamespace: Bool?
    var annotations: [String: String]?
    /// Whether `exec` has a filter to set, and `start` and `delete` have hooks to run, for which the configuration must
    /// be read.
    var execNeedsConfiguration: Bool
    var hasPoststartHooks: Bool
    var hasPoststopHooks: Bool

    static let fileName = "state.json"
    /// The file's name as long as the container is being created. It is written before there is anything that would
    /// have to be cleaned up if this process were killed, and gets its final name when the container can be used: a
    /// process that `exec` added before would still see the host's file system.
    static let provisionalFileName = "creating.json"

    func write(to directory: FilePath) throws(RuntimeError) {
        let bytes = json.serialized()
        let path = directory.appending(Self.provisionalFileName)
        try attempt("cannot write \(path)") { () throws(Errno) in
            let file = try Files.open(path, [.writeOnly, .create, .exclusive, .noFollow], mode: 0o600)
            defer { file.discard() }
            try file.writeEntire(bytes)
        }
    }

    /// Says that the container in `directory` has been created.
    static func complete(in directory: FilePath) throws(RuntimeError) {
        try attempt("cannot write \(directory)/\(fileName)") { () throws(Errno) in
            try Files.rename(directory.appending(provisionalFileName), to: directory.appending(fileName))
        }
    }

    /// The record of a container that has been created.
    static func read(from directory: FilePath, id: String) throws(RuntimeError) -> StoredContainer {
        let (record, isComplete) = try readAny(from: directory, id: id)
        guard isComplete else { throw RuntimeError(.conflict, "container \(id) is still being created") }
        return record
    }

    /// The record of a container, and whether it has been created or is about to be.
    static func readAny(
        from directory: FilePath, id: String
    ) throws(RuntimeError) -> (record: StoredContainer, isComplete: Bool) {
        var isComplete = true
        let bytes: [UInt8]
        do throws(Errno) {
            do throws(Errno) {
                bytes = try Files.read(directory.appending(fileName))
            } catch .noSuchFileOrDirectory {
                do throws(Errno) {
                    bytes = try Files.read(directory.appending(provisionalFileName))
                    isComplete = false
                } catch .noSuchFileOrDirectory {
                    // Renamed between the two.
                    bytes = try Files.read(directory.appending(fileName))
                }
            }
        } catch .noSuchFileOrDirectory, .notDirectory {
            throw RuntimeError(.notFound, "container does not exist: \(id)")
        } catch {
            throw RuntimeError(.system, "cannot read the state of container \(id): \(error.words)")
        }
        do throws(JSONError) {
            return (try StoredContainer(json: JSON.parse(bytes)), isComplete)
        } catch  where !isComplete {
            // The runtime was killed between making the file and writing it, which it does before anything else.
            throw RuntimeError(.notFound, "container does not exist: \(id)")
        } catch {
            throw RuntimeError(.system, "cannot read the state of container \(id): \(error)")
        }
    }

    /// The control group; `nil` for a container without one.
    func cgroup() throws(RuntimeError) -> Cgroup? {
        guard let cgroupPath else { return nil }
        return try withCgroupErrors { () throws(CgroupError) in
            try Cgroup(path: cgroupPath, hierarchies: .mounted().limited(to: cgroupControllers))
        }
    }

    /// The container's first process; `nil` if it has ended.
    func openProcess() throws(RuntimeError) -> PIDFD? {
        let pidfd: PIDFD
        do throws(Errno) {
            pidfd = try PIDFD.open(pid)
        } catch .noSuchProcess {
            return nil
        } catch {
            throw RuntimeError(.system, "cannot open process \(pid): \(error.words)")
        }
        // The descriptor is the process that has the pid now; if its start time is right, so is the process.
        if let now = ProcessTimes.of(pid), now.startTime == startTime, !now.hasEnded { return pidfd }
        pidfd.close()
        return nil
    }
}

extension StoredContainer {
    /// The record of the container of `plan`, whose first process is `pid` and began at `startTime`; it is new.
    init(_ plan: CreationPlan, pid: Int32, startTime: UInt64) {
        self.init(
            ociVersion: plan.spec.ociVersion, id: plan.id, pid: pid, startTime: startTime, bundle: plan.bundle.string,
            rootfs: plan.rootfs.string, created: .now(), owner: ProcessAttributes.uid, cgroupPath: plan.cgroup?.path,
            cgroupControllers: plan.mayLackCgroup ? plan.cgroup?.controllers : nil, serviceClass: plan.serviceClass,
            unit: plan.unit?.unit,
            namespaces: (plan.linux.namespaces ?? []).map(\.type),
            hasOwnPIDNamespace: plan.newNamespaces.contains(.pid), annotations: plan.spec.annotations,
            execNeedsConfiguration: plan.execNeedsConfiguration,
            hasPoststartHooks: plan.spec.hooks?.poststart?.isEmpty == false,
            hasPoststopHooks: plan.spec.hooks?.poststop?.isEmpty == false)
    }
}

// Written and read by hand, for the reason that `JSONFields` gives.
extension StoredContainer {
    var json: JSONValue {
        var object = JSONObject()
        object["ociVersion"] = .string(ociVersion)
        object["id"] = .string(id)
        object["pid"] = .int(Int64(pid))
        object["startTime"] = .uint(startTime)
        object["bundle"] = .string(bundle)
        object["rootfs"] = .string(rootfs)
        object["created"] = .string(created.description)
        object["owner"] = .int(Int64(owner))
        object["cgroupPath"] = cgroupPath.map { .string($0) }
        object["cgroupControllers"] = cgroupControllers.map { .array($0.map { .string($0) }) }
        object["serviceClass"] = serviceClass?.json
        object["unit"] = unit.map { unit in
            ["name": .string(unit.name), "slice": .string(unit.slice), "isUser": .bool(unit.isUser)] as JSONValue
        }
        object["namespaces"] = .array(namespaces.map { .string($0.rawValue) })
        object["hasOwnPIDNamespace"] = hasOwnPIDNamespace.map { .bool($0) }
        if let annotations {
            var texts = JSONObject()
            for (key, text) in annotations { texts[key] = .string(text) }
            object["annotations"] = .object(texts)
        }
        object["execNeedsConfiguration"] = .bool(execNeedsConfiguration)
        object["hasPoststartHooks"] = .bool(hasPoststartHooks)
        object["hasPoststopHooks"] = .bool(hasPoststopHooks)
        return .object(object)
    }

    init(json value: JSONValue) throws(JSONError) {
        let fields = try JSONFields(value)
        self.init(
            ociVersion: try fields.required("ociVersion", JSONRead.string),
            id: try fields.required("id", JSONRead.string), pid: try fields.required("pid", JSONRead.integer),
            startTime: try fields.required("startTime", JSONRead.integer),
            bundle: try fields.required("bundle", JSONRead.string),
            rootfs: try fields.required("rootfs", JSONRead.string),
            created: try fields.required("created") { value throws(JSONError) in
                guard let time = Timestamp(try JSONRead.string(value)) else {
                    throw JSONError.value(path: "", reason: "is not a date and time as RFC 3339 writes it")
                }
                return time
            },
            owner: try fields.required("owner", JSONRead.integer), cgroupPath: try fields.string("cgroupPath"),
            cgroupControllers: try fields.list("cgroupControllers", JSONRead.string),
            serviceClass: try fields.optional("serviceClass", ServiceClass.init(json:)),
            unit: try fields.optional("unit") { value throws(JSONError) in
                let fields = try JSONFields(value)
                return SystemdUnit(
                    name: try fields.required("name", JSONRead.string),
                    slice: try fields.required("slice", JSONRead.string),
                    isUser: try fields.required("isUser", JSONRead.bool))
            },
            namespaces: try fields.list("namespaces") { value throws(JSONError) in
                guard let type = LinuxNamespaceType(rawValue: try JSONRead.string(value)) else {
                    throw JSONError.value(path: "", reason: "is not a type of namespace")
                }
                return type
            } ?? [],
            hasOwnPIDNamespace: try fields.bool("hasOwnPIDNamespace"),
            annotations: try fields.dictionary("annotations", JSONRead.string),
            execNeedsConfiguration: try fields.required("execNeedsConfiguration", JSONRead.bool),
            hasPoststartHooks: try fields.required("hasPoststartHooks", JSONRead.bool),
            hasPoststopHooks: try fields.required("hasPoststopHooks", JSONRead.bool))
    }
}

/// What `/proc/<pid>/stat` says.
struct ProcessTimes {
    var startTime: UInt64
    /// It is a zombie, or about to become one.
    var hasEnded: Bool

    static func of(_ pid: Int32) -> ProcessTimes? {
        // A process that has ended has no file any more.
        // No such process any more, whatever the error says.
        guard let bytes = try? Files.read(FilePath("/proc/\(pid)/stat")) else { return nil }
        // The second field is the program's name in parentheses, which may contain anything, parentheses too.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let startTime = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return nil }
        let state = fields[0].first
        return ProcessTimes(startTime: startTime, hasEnded: state == UInt8(ascii: "Z") || state == UInt8(ascii: "X"))
    }
}
