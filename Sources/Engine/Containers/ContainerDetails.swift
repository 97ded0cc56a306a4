import OCISpec
import PublishedPorts
import SystemPackage

/// All that `docker inspect` shows of a container.
package struct ContainerDetails: Sendable {
    /// 64 hexadecimal digits.
    package var id: String
    /// Without the leading `/` that the API writes.
    package var name: String
    /// When the container was created.
    package var created: Timestamp
    /// First word of the command that runs, and the rest.
    package var path: String
    /// What follows the program's path.
    package var arguments: [String]
    /// Its state now.
    package var state: ContainerState
    /// What checks of its health have shown; nil if there are none.
    package var health: ContainerHealth?
    /// The image's id, `sha256:…`.
    package var imageID: String
    /// The manifest of the image; nil if the image is gone.
    package var imageManifest: Descriptor?
    /// `linux`.
    package var platform: String
    /// Files bound into the container; empty while it never was started.
    package var resolvConfPath: String
    /// The file that is its `/etc/hostname`.
    package var hostnamePath: String
    /// The file that is its `/etc/hosts`.
    package var hostsPath: String
    /// Empty with log driver `none`.
    package var logPath: String
    /// How often the restart policy has started it.
    package var restartCount: Int
    /// The snapshot driver: `overlay2` for overlay, `vfs` for copying (the words Docker's clients know).
    package var driver: String
    /// Directories of the snapshot (`LowerDir`, `UpperDir`, `WorkDir`).
    package var graphDriverData: [String: String]
    /// The profile; empty for none.
    package var appArmorProfile: String
    /// Execs that have not been forgotten yet.
    package var execIDs: [String]
    /// With the image's defaults merged in (what runs), as Docker shows it.
    package var configuration: ContainerConfiguration
    /// The defaults of the daemon filled in: log driver, runtime, shm size, masked paths.
    package var host: HostConfiguration { configuration.host }
    /// What is mounted in it beside the root.
    package var mounts: [MountPoint]
    /// Bytes in the container's own layer and of all layers; only when asked for.
    package var sizeRw: Int64?
    /// Bytes of the root file system; `nil` if nobody asked.
    package var sizeRootFs: Int64?
    /// Path of the network namespace while it runs (`NetworkSettings.SandboxKey`), else empty.
    package var sandboxKey: String
    /// Its places on networks; none with `container:`.
    package var networks: [EndpointDetails]
    /// The ports of the host that are its.
    package var ports: [PublishedPort]
    /// The containers on the default network that it is linked to, by their names now.
    package var links: [ContainerLink]
}

/// One row of `docker ps`.
package struct ContainerSummary: Sendable {
    package var id: String
    /// Without the leading `/`.
    package var name: String
    /// As the user named it (or the id's short form, when that name now means another image).
    package var image: String
    /// The image's id, `sha256:…`.
    package var imageID: String
    /// The manifest of the image; nil if the image is gone.
    package var imageManifest: Descriptor?
    /// What runs, as one line.
    package var command: String
    /// When the container was created.
    package var created: Timestamp
    /// Its state now.
    package var state: ContainerState
    /// What checks of its health have shown; nil if there are none.
    package var health: ContainerHealth?
    /// Docker's phrase: `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`.
    package var status: String
    /// By their keys.
    package var labels: [String: String]
    /// As the API writes it.
    package var networkMode: String
    /// Its places on networks; none with `container:`.
    package var networks: [EndpointDetails]
    /// The ports of the host that are its.
    package var ports: [PublishedPort]
    /// By their keys.
    package var annotations: [String: String]
    /// What is mounted in it beside the root.
    package var mounts: [MountPoint]
    /// Ports that the image or the client exposes.
    package var exposedPorts: [PortRange]
    /// Bytes that the container has written; `nil` if nobody asked.
    package var sizeRw: Int64?
    /// Bytes of the root file system; `nil` if nobody asked.
    package var sizeRootFs: Int64?
}

/// What `create` answers.
package struct CreatedContainer: Sendable {
    package var id: String
    /// Things which were asked for and will not be as asked.
    package var warnings: [String]
}

/// When `wait` answers.
package enum WaitCondition: String, Hashable, Sendable {
    case notRunning = "not-running"
    case nextExit = "next-exit"
    case removed
}

/// What `wait` answers.
package struct WaitResult: Hashable, Sendable {
    /// The exit code, or 128 and the signal.
    package var exitCode: Int32
    /// Why waiting failed (the removal did not work, the start failed).
    package var error: String?

    /// An end, and what went wrong in finding it out.
    package init(exitCode: Int32, error: String? = nil) {
        self.exitCode = exitCode
        self.error = error
    }
}

/// A registered wait: nothing that happens after `Engine.wait` returned is missed, however late `result` is called.
package struct ContainerWait: Sendable {
    let stream: AsyncStream<WaitResult>

    /// Suspends until the condition is met; throws `CancellationError` when the task is cancelled before.
    package func result() async throws -> WaitResult {
        for await result in stream { return result }
        throw CancellationError()
    }
}
