import JSON
import OCISpec
import ShimProtocol

/// What some runtimes need to be told that others see for themselves.
package enum RuntimeDialect {
    /// The version of the specification that external runtimes are told: several that are in use accept no other than 1.0, and
    /// ignore what they do not know.
    package static let version = "1.0.2"

    /// Flags before the command, for a container with the configuration `spec`.
    package static func flags(of program: ShimConfiguration.Runtime, for spec: Spec) -> [String] {
        guard program.name == "runsc" else { return [] }
        // gVisor's own network stack takes the interfaces of the container's network namespace over. In a new one there is
        // nothing but a loopback device, which it has by itself, and it refuses where it takes the namespace for the host's.
        switch spec.linux?.namespaces?.first(where: { $0.type == .network }) {
        case nil: return ["--network=host"]
        case .some(let namespace) where namespace.path == nil: return ["--network=none"]
        case .some: return []
        }
    }

    /// Whether it refuses to work where version 1 of control groups is mounted and version 2 has controllers too, though it uses
    /// version 1 alone.
    static func needsSingleHierarchy(_ program: ShimConfiguration.Runtime) -> Bool { program.name == "crun" }

    /// The configuration `original` in the words of an older specification, with what `spec` says of the terminal and the control group.
    ///
    /// What is not known here is passed on: the runtime may know it.
    package static func configuration(_ original: JSONValue, as spec: Spec) -> JSONValue {
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
            object["process"] = .object(process)
        }
        if let path = spec.linux?.cgroupsPath {
            var linux = object["linux"]?.object ?? JSONObject()
            linux["cgroupsPath"] = .string(path)
            object["linux"] = .object(linux)
        }
        return .object(object)
    }
}
