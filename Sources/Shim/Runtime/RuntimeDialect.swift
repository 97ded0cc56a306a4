import JSON
import LinuxKernel
import OCISpec
import ShimProtocol

/// What some runtimes need to be told that others see for themselves.
package enum RuntimeDialect {
    /// The version of the specification that external runtimes are told: several that are in use accept no other than
    /// 1.0, and ignore what they do not know.
    package static let version = "1.0.2"

    /// Whether it refuses to work where version 1 of control groups is mounted and version 2 has controllers too,
    /// though it uses version 1 alone.
    static func needsSingleHierarchy(_ program: ShimConfiguration.Runtime) -> Bool { program.name == "crun" }

    /// The configuration `original` in the words of an older specification, with what `spec` says of the terminal and
    /// the control group.
    ///
    /// What is not known here is passed on: the runtime may know it.
    ///
    /// - Parameter granted: What a container can have at most, see `limited`.
    package static func configuration(
        _ original: JSONValue, as spec: Spec, for program: ShimConfiguration.Runtime, granted: CapabilitySet
    ) -> JSONValue {
        guard var object = original.object else { return original }
        object["ociVersion"] = .string(version)
        if var process = object["process"]?.object {
            process["terminal"] = .bool(spec.process?.terminal ?? false)
            if let size = spec.process?.consoleSize {
                var box = JSONObject()
                box["height"] = .int(Int64(size.height))
                box["width"] = .int(Int64(size.width))
                process["consoleSize"] = .object(box)
            }
            if var sets = process["capabilities"]?.object {
                for (name, set) in sets {
                    let names = set.array?.compactMap(\.string) ?? []
                    sets[name] = .array(limited(names, to: granted).map { .string($0) })
                }
                process["capabilities"] = .object(sets)
            }
            object["process"] = .object(process)
        }
        if let path = spec.linux?.cgroupsPath {
            var linux = object["linux"]?.object ?? JSONObject()
            linux["cgroupsPath"] = .string(path)
            object["linux"] = .object(linux)
        }
        if program.name == "runsc", let mounts = object["mounts"]?.array {
            object["mounts"] = .array(mounts.map(withoutRecursiveAttributes))
        }
        return .object(object)
    }

    /// The configuration with another path of the network namespace that the container joins.
    package static func joining(network path: String, _ configuration: JSONValue) -> JSONValue {
        guard var object = configuration.object, var linux = object["linux"]?.object,
            let namespaces = linux["namespaces"]?.array
        else { return configuration }
        linux["namespaces"] = .array(
            namespaces.map { namespace in
                guard var changed = namespace.object, namespace["type"]?.string == "network" else { return namespace }
                changed["path"] = .string(path)
                return .object(changed)
            })
        object["linux"] = .object(linux)
        return .object(object)
    }

    /// Capabilities that are not ours to give are left out, as our own runtime does and Docker's daemon; other runtimes
    /// fail.
    package static func limited(_ names: [String], to granted: CapabilitySet) -> [String] {
        names.filter { name in CapabilitySet(name: name).map(granted.isSuperset) ?? false }
    }

    /// The same for a process that is added to a container.
    static func limited(_ capabilities: LinuxCapabilities, to granted: CapabilitySet) -> LinuxCapabilities {
        var result = capabilities
        for set in [
            \LinuxCapabilities.bounding, \.effective, \.inheritable, \.permitted, \.ambient,
        ] {
            result[keyPath: set] = capabilities[keyPath: set].map { limited($0, to: granted) }
        }
        return result
    }

    /// `rro` of a mount as `ro`: gVisor does not know the one, and means all that is below the mount by the other.
    private static func withoutRecursiveAttributes(_ mount: JSONValue) -> JSONValue {
        guard var object = mount.object, let options = object["options"]?.array else { return mount }
        object["options"] = .array(options.map { $0 == "rro" ? "ro" : $0 })
        return .object(object)
    }
}
