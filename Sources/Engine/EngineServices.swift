import BlockingCalls
import GRDB
import Images
import LinuxKernel
import Logging
import OCISpec
import SystemPackage

/// What all containers of an engine share.
struct EngineServices: Sendable {
    let configuration: EngineConfiguration
    let database: any DatabaseWriter
    let images: Images
    let events: EventHub
    let registry: ContainerRegistry
    /// For short blocking work: writing bundles, starting shims, reading logs.
    let pool: BlockingPool
    /// For work at the speed of a client: archives of containers' files.
    let transfers = BlockingPool(threads: 16, name: "engine-stream")
    let logger: Logger

    /// Bundles of running containers.
    var bundles: FilePath { configuration.execRoot.appending("containers") }
    /// Memory that containers share with `--ipc`.
    var sharedMemory: FilePath { configuration.execRoot.appending("shm") }
    /// Files and logs of all containers.
    var files: FilePath { configuration.dataRoot.appending("containers") }
}
