import EngineAPIModel
import JSON

/// The answer of `GET /containers/json`, as `JSON.encode` would write it; clients ask for it all the time, and there
/// may be a thousand containers.
package enum ContainerListWire {
    /// The document, with the newline that Docker's encoder writes after it.
    ///
    /// - Throws: as `JSON.encode`.
    package static func document(_ list: [EngineAPIModel.ContainerSummary], version: APIVersion) throws -> [UInt8] {
        var writer = Writer(version)
        writer.text.bytes.reserveCapacity(list.count * 1200 + 16)
        try writer.write(list)
        writer.text.bytes.append(0x0A)
        return writer.text.bytes
    }

    private struct Writer {
        var text = JSONText(capacity: 0)
        let rules: MemberRules
        let hasManifests: Bool
        let hasHealth: Bool
        let hasAnnotations: Bool
        /// The last descriptor of an image: most containers have one of few.
        var descriptor: (value: ImageDescriptor, bytes: [UInt8])?

        init(_ version: APIVersion) {
            rules = WireRules.sending(version)
            hasManifests = VersionedField.isSent("ImageManifestDescriptor", of: ContainerSummary.self, version)
            hasHealth = VersionedField.isSent("Health", of: ContainerSummary.self, version)
            hasAnnotations = VersionedField.isSent("Annotations", of: HostConfigSummary.self, version)
        }

        mutating func write(_ list: [ContainerSummary]) throws {
            text.bytes.append(UInt8(ascii: "["))
            for (index, summary) in list.enumerated() {
                if index > 0 { text.bytes.append(UInt8(ascii: ",")) }
                try write(summary)
            }
            text.bytes.append(UInt8(ascii: "]"))
        }

        private mutating func write(_ summary: ContainerSummary) throws {
            text.begin()
            text.string("Id", summary.id)
            text.strings("Names", summary.names)
            text.string("Image", summary.image)
            text.string("ImageID", summary.imageID)
            if hasManifests, let descriptor = summary.imageManifestDescriptor { try write(descriptor) }
            text.string("Command", summary.command)
            text.integer("Created", summary.created)
            try text.values("Ports", summary.ports, rules)
            if summary.sizeRw != 0 { text.integer("SizeRw", summary.sizeRw) }
            if summary.sizeRootFs != 0 { text.integer("SizeRootFs", summary.sizeRootFs) }
            text.texts("Labels", summary.labels)
            text.string("State", summary.state)
            text.string("Status", summary.status)
            if hasHealth, let health = summary.health {
                text.key("Health")
                text.begin()
                text.string("Status", health.status)
                text.integer("FailingStreak", Int64(health.failingStreak))
                text.end()
            }
            text.key("HostConfig")
            text.begin()
            let host = summary.hostConfig
            if !host.networkMode.isEmpty { text.string("NetworkMode", host.networkMode) }
            if hasAnnotations, !host.annotations.isEmpty { text.texts("Annotations", host.annotations) }
            text.end()
            text.key("NetworkSettings")
            text.begin()
            text.key("Networks")
            let rules = rules
            try text.members(summary.networkSettings.networks) { try Self.write($1, to: &$0, rules) }
            text.end()
            try text.values("Mounts", summary.mounts, rules)
            text.end()
        }

        private mutating func write(_ value: ImageDescriptor) throws {
            let bytes: [UInt8]
            if let descriptor, descriptor.value == value {
                bytes = descriptor.bytes
            } else {
                bytes = try JSON.encode(value, rules: rules)
                descriptor = (value, bytes)
            }
            text.key("ImageManifestDescriptor")
            text.bytes += bytes
        }

        private static func write(
            _ endpoint: EndpointSettings, to text: inout JSONText, _ rules: MemberRules
        ) throws {
            text.begin()
            if let asked = endpoint.ipamConfig {
                try text.value("IPAMConfig", asked, rules)
            } else {
                text.key("IPAMConfig")
                text.null()
            }
            text.strings("Links", endpoint.links)
            text.strings("Aliases", endpoint.aliases)
            text.string("MacAddress", endpoint.macAddress)
            text.texts("DriverOpts", endpoint.driverOpts)
            text.integer("GwPriority", Int64(endpoint.gwPriority))
            text.string("NetworkID", endpoint.networkID)
            text.string("EndpointID", endpoint.endpointID)
            text.string("Gateway", endpoint.gateway)
            text.string("IPAddress", endpoint.ipAddress)
            text.integer("IPPrefixLen", Int64(endpoint.ipPrefixLen))
            text.string("IPv6Gateway", endpoint.ipv6Gateway)
            text.string("GlobalIPv6Address", endpoint.globalIPv6Address)
            text.integer("GlobalIPv6PrefixLen", Int64(endpoint.globalIPv6PrefixLen))
            text.strings("DNSNames", endpoint.dnsNames)
            if let result = endpoint.cniResult { try text.value("CNIResult", result, rules) }
            text.end()
        }
    }
}

extension VersionedField {
    /// Whether answers of a version have a field.
    static func isSent(_ name: String, of type: any WireStructure.Type, _ version: APIVersion) -> Bool {
        all.allSatisfy { $0.type != type || $0.name != name || $0.sent.contains(version) }
    }
}
