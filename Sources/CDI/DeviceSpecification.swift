import JSON

/// A file of the Container Device Interface: devices of one kind, and what each of them needs in a container.
package struct DeviceSpecification: Hashable, Sendable {
    /// What kind the devices are of.
    package let kind: DeviceKind
    /// The devices by their names.
    package let devices: [String: ContainerEdits]
    /// What any of the devices needs once.
    package let edits: ContainerEdits

    /// Versions of CDI whose files can be read.
    package static let versions = ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"]

    /// Reads JSON or YAML.
    ///
    /// - Throws: `DeviceSpecificationError` with what is wrong.
    package init(_ bytes: [UInt8]) throws(DeviceSpecificationError) {
        let file: File
        do {
            file = try JSON.decode(File.self, from: YAMLDocument.parse(bytes))
        } catch {
            throw DeviceSpecificationError(reason: "\(error)")
        }
        guard Self.versions.contains(file.cdiVersion) else {
            throw DeviceSpecificationError(reason: "version \"\(file.cdiVersion)\" of CDI is not known")
        }
        guard let kind = DeviceKind(file.kind) else {
            throw DeviceSpecificationError(
                reason: "\"\(file.kind)\" is no kind of devices: it has the form vendor/class")
        }
        var devices: [String: ContainerEdits] = [:]
        for device in file.devices ?? [] {
            guard let name = DeviceName(kind, device: device.name) else {
                throw DeviceSpecificationError(reason: "\"\(device.name)\" is no name for a device")
            }
            guard devices.updateValue(device.containerEdits, forKey: name.device) == nil else {
                throw DeviceSpecificationError(reason: "the device \"\(device.name)\" is there twice")
            }
        }
        guard !devices.isEmpty else { throw DeviceSpecificationError(reason: "it has no devices") }
        self.kind = kind
        self.devices = devices
        edits = file.containerEdits ?? ContainerEdits()
    }

    private struct File: Decodable {
        var cdiVersion: String
        var kind: String
        var devices: [Device]?
        var containerEdits: ContainerEdits?
    }

    private struct Device: Decodable {
        var name: String
        var containerEdits: ContainerEdits
    }
}

/// What is wrong with a file of the Container Device Interface.
package struct DeviceSpecificationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In words.
    package let reason: String
    package var description: String { reason }
}
