import SystemPackage

/// What the daemon's administrator decides about volumes.
package struct VolumesConfiguration: Hashable, Sendable {
    /// The daemon's data root, below which `volumes` is.
    package var dataRoot: FilePath
    /// Where sockets of plugins are.
    package var pluginSockets: FilePath = "/run/docker/plugins"
    /// Where files say how plugins are reached.
    package var pluginFiles: [FilePath] = ["/etc/docker/plugins", "/usr/lib/docker/plugins"]
    /// How long a plugin may take to accept a connection: one that was started with the daemon may not be ready.
    package var pluginPatience: Duration = .seconds(30)
    /// How long a plugin may take for what it does with files: `Create` and `Mount`.
    package var longPluginLimit: Duration = .seconds(120)
    /// How long it may take for all else.
    package var shortPluginLimit: Duration = .seconds(60)

    /// Docker's places and times.
    package init(dataRoot: FilePath) { self.dataRoot = dataRoot }
}
