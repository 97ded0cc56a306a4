import Engine
import PublishedPorts

// The engine and the wire call many things by the same name. Files that map between them import both; there the
// engine's types have these names and the wire's are written `EngineAPIModel.X`.

typealias ThrottleLimit = ThrottleDevice
typealias EngineContainerState = ContainerState
typealias EngineContainerSummary = ContainerSummary
typealias EngineMountPoint = MountPoint
typealias EnginePortBinding = PortBinding
typealias ContainerPorts = PortRange
typealias EngineRestartPolicy = RestartPolicy
typealias EngineUlimit = Ulimit
typealias EngineDeviceRequest = DeviceRequest
