import BlockingCalls
import GRDB
import Images
import LinuxKernel
import Logging
import Networks
import OCISpec
import SystemPackage
import Tasks
import Volumes

/// What all containers of an engine share.
struct EngineServices: Sendable {
    let settings: EngineSettings
    let database: any DatabaseWriter
    let images: Images
    let events: EventHub
    let registry: ContainerRegistry
    let networks: Networks
    let volumes: Volumes
    /// What runs the containers.
    let tasks: Tasks
    /// Reads what containers use, for all who look at it.
    let statistics = StatisticsCollector()
    /// For short blocking work: composing specifications, starting shims, reading logs.
    let pool: BlockingPool
    /// For work at the speed of a client: archives of containers' files.
    let transfers = BlockingPool(threads: 16, name: "engine-stream")
    /// For work as long as there are files: what images have at the places of volumes.
    let copying = BlockingPool(threads: 4, name: "engine-copy")
    let logger: Logger

    /// What holds now; a reload changes it for the next one who asks.
    var configuration: EngineConfiguration { settings.current }
    /// Memory that containers share with `--ipc`.
    var sharedMemory: FilePath { configuration.execRoot.appending("shm") }
    /// Files and logs of all containers.
    var files: FilePath { configuration.dataRoot.appending("containers") }
}
