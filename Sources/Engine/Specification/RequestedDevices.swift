import CDI
import OCISpec

/// Puts the devices that a container asks for by name into its specification.
struct RequestedDevices {
    let requests: [DeviceRequest]
    let registry: DeviceRegistry

    /// - Throws: `EngineError` with Docker's words for devices that nobody describes.
    func apply(to spec: inout Spec) throws(EngineError) {
        guard !requests.isEmpty else { return }
        var names: [DeviceName] = []
        for request in requests { names += try request.devices(among: registry) }
        do {
            for edits in try registry.edits(for: names) { try edits.apply(to: &spec) }
        } catch {
            throw .invalid("CDI device injection failed: \(error)")
        }
    }
}
