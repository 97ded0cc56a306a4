import LinuxKernel
import OCISpec
import SystemPackage

/// Why a device cannot be put into a container.
package struct ContainerEditError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

extension ContainerEdits {
    /// Makes the changes in the specification of a container (CDI, "OCI Edits"): variables, devices and mounts of the
    /// same name or place are replaced.
    ///
    /// - Throws: `ContainerEditError` for a device that is not there, or a hook of a kind that does not exist; then
    ///   some changes have been made.
    package func apply(to spec: inout Spec) throws(ContainerEditError) {
        var process = spec.process
        var variables = process?.env ?? []
        for variable in env {
            let name = variable.prefix { $0 != "=" }
            variables.removeAll { $0.prefix { $0 != "=" } == name }
            variables.append(variable)
        }
        if !env.isEmpty { process?.env = variables }
        let known = process?.user.additionalGids ?? []
        let more = additionalGids.filter { $0 != 0 && !known.contains($0) }
        if !more.isEmpty { process?.user.additionalGids = known + more }
        spec.process = process

        var linux = spec.linux ?? Linux()
        for node in deviceNodes { try Self.add(node, user: process?.user, to: &linux) }
        for device in netDevices {
            var interface = LinuxNetDevice()
            interface.name = device.name
            linux.netDevices = (linux.netDevices ?? [:]).merging([device.hostInterfaceName: interface]) { $1 }
        }
        if let intelRdt { linux.intelRdt = intelRdt }
        spec.linux = linux

        if !mounts.isEmpty {
            let places = Set(mounts.map(\.containerPath))
            let all = (spec.mounts ?? []).filter { !places.contains($0.destination) } + mounts.map(\.mount)
            // Those below others come after them; at one depth the order stays.
            spec.mounts = all.enumerated()
                .sorted { ($0.element.depth, $0.offset) < ($1.element.depth, $1.offset) }.map(\.element)
        }
        for hook in hooks { try hook.add(to: &spec) }
    }

    private static func add(_ node: DeviceNode, user: User?, to linux: inout Linux) throws(ContainerEditError) {
        var device = LinuxDevice(path: node.path, type: node.type ?? "", major: node.major, minor: node.minor)
        device.fileMode = node.fileMode
        device.uid = node.uid
        device.gid = node.gid
        if device.type.isEmpty || device.major == nil && device.type != "p" {
            let path = node.hostPath ?? node.path
            let status: FileStatus
            do {
                status = try FileStatus.of(FilePath(path))
            } catch {
                throw ContainerEditError(description: "cannot find the device \(path): \(error)")
            }
            let type: String
            switch status.kind {
            case .characterDevice: type = "c"
            case .blockDevice: type = "b"
            case .fifo: type = "p"
            default: throw ContainerEditError(description: "\(path) is not a device")
            }
            if !device.type.isEmpty, device.type != type, !(device.type == "u" && type == "c") {
                throw ContainerEditError(description: "\(path) is a device of type \(type), not \(device.type)")
            }
            device.type = type
            let numbers = status.deviceNumbers
            if type != "p" { (device.major, device.minor) = (Int64(numbers.major), Int64(numbers.minor)) }
            if device.fileMode == nil { device.fileMode = status.mode & 0o7777 }
        }
        // A program that is not root can use what it was given.
        if let user {
            if device.uid == nil, user.uid > 0 { device.uid = user.uid }
            if device.gid == nil, user.gid > 0 { device.gid = user.gid }
        }
        linux.devices = (linux.devices ?? []).filter { $0.path != device.path } + [device]
        guard ["b", "c", "u"].contains(device.type) else { return }
        let rule = LinuxDeviceCgroup(
            allow: true, type: device.type == "b" ? "b" : "c", major: device.major, minor: device.minor,
            access: node.permissions ?? "rwm")
        var resources = linux.resources ?? LinuxResources()
        resources.devices = (resources.devices ?? []) + [rule]
        linux.resources = resources
    }
}

extension ContainerEdits.EditedMount {
    fileprivate var mount: Mount {
        Mount(destination: containerPath, type: type ?? "bind", source: hostPath, options: options ?? ["rbind", "ro"])
    }
}

extension Mount {
    fileprivate var depth: Int { destination.split(separator: "/").count }
}

extension ContainerEdits.EditedHook {
    fileprivate func add(to spec: inout Spec) throws(ContainerEditError) {
        var hook = Hook(path: path)
        hook.args = args
        hook.env = env
        hook.timeout = timeout
        var hooks = spec.hooks ?? Hooks()
        let list: WritableKeyPath<Hooks, [Hook]?>
        switch hookName {
        case "prestart": list = \.prestart
        case "createRuntime": list = \.createRuntime
        case "createContainer": list = \.createContainer
        case "startContainer": list = \.startContainer
        case "poststart": list = \.poststart
        case "poststop": list = \.poststop
        default: throw ContainerEditError(description: "\"\(hookName)\" is no kind of hooks")
        }
        hooks[keyPath: list] = (hooks[keyPath: list] ?? []) + [hook]
        spec.hooks = hooks
    }
}
