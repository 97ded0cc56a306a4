import CDI

/// Devices that are asked for by what they can do or by name, not by path (`--gpus`, `--device vendor.com/class=name`).
package struct DeviceRequest: Hashable, Sendable, Codable {
    /// Who finds the devices: `cdi`, `nvidia`, `amd`, or empty for whoever can.
    package var driver: String
    /// How many; -1 is all of them.
    package var count: Int
    /// Which ones, as the driver names them.
    package var deviceIDs: [String]
    /// Alternatives, each a list of what a device must be capable of.
    package var capabilities: [[String]]
    /// For the driver.
    package var options: [String: String]

    /// A request.
    package init(
        driver: String, count: Int = 0, deviceIDs: [String] = [], capabilities: [[String]] = [],
        options: [String: String] = [:]
    ) {
        self.driver = driver
        self.count = count
        self.deviceIDs = deviceIDs
        self.capabilities = capabilities
        self.options = options
    }

    /// Vendors' words for graphics processors in the Container Device Interface, by the drivers' names.
    private static let graphics = [("nvidia", "nvidia.com/gpu"), ("amd", "amd.com/gpu")]

    /// The devices of the Container Device Interface that are meant.
    ///
    /// - Throws: `EngineError` with Docker's words if nobody has such devices.
    package func devices(among registry: DeviceRegistry) throws(EngineError) -> [DeviceName] {
        if driver == "cdi" {
            if count != 0 { throw .invalid("unexpected count in CDI device request") }
            if !options.isEmpty { throw .invalid("unexpected options in CDI device request") }
            var names: [DeviceName] = []
            for text in deviceIDs {
                guard let name = DeviceName(text) else { throw .invalid("invalid CDI device name \"\(text)\"") }
                names.append(name)
            }
            return names
        }
        guard capabilities.contains(where: { $0.contains("gpu") }) else { throw nobody }
        let known = registry.content().devices.keys
        for (name, kind) in Self.graphics where driver.isEmpty || driver == name {
            let own = known.filter { $0.kind.description == kind }.map(\.device)
            if own.isEmpty { continue }
            var names: [DeviceName] = []
            for device in try chosen(own) {
                guard let name = DeviceName("\(kind)=\(device)") else {
                    throw .invalid("invalid CDI device name \"\(kind)=\(device)\"")
                }
                names.append(name)
            }
            return names
        }
        throw nobody
    }

    /// Which devices of those that a vendor has are meant.
    private func chosen(_ own: [String]) throws(EngineError) -> [String] {
        if !deviceIDs.isEmpty { return deviceIDs }
        if count < 0, own.contains("all") { return ["all"] }
        let numbered = own.compactMap(Int.init).sorted().map(String.init)
        if count < 0 { return numbered }
        guard count <= numbered.count else { throw nobody }
        return Array(numbered.prefix(max(count, 1)))
    }

    private var nobody: EngineError {
        // As Go prints lists within a list.
        let wanted = capabilities.map { "[" + $0.joined(separator: " ") + "]" }.joined(separator: " ")
        return .invalid("could not select device driver \"\(driver)\" with capabilities: [\(wanted)]")
    }
}
