import SystemPackage

/// The names of a shim's files in the container's bundle directory (`<exec-root>/containers/<id>`).
package enum ShimBundle {
    /// The OCI configuration.
    package static let specification = "config.json"
    /// The `ShimConfiguration`.
    package static let configuration = "shim.json"
    /// The socket; there from before the launch is reported until the exit has been recorded.
    package static let socket = "shim.sock"
    /// The shim's pid in decimal digits; there as long as the socket is.
    package static let processIdentifier = "shim.pid"
    /// The `ExitRecord`; appears, whole, before the socket goes away.
    package static let exit = "exit"
    /// The `ContainerRuntime`'s root, unless `ShimConfiguration.runtimeRoot` names another.
    package static let runtime = "runtime"
    /// What goes to and comes from an external runtime's program; there while it runs.
    package static let calls = "calls"
}
