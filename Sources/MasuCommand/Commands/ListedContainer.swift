import EngineAPIModel
import JSON

/// What `ps` shows of a container, read from an answer without the rest of it, which is most of it: of a thousand
/// containers the reading takes longer than all else.
package struct ListedContainer: Decodable {
    /// The container, without what no column shows.
    package private(set) var summary = ContainerSummary()

    package init(from decoder: any Decoder) throws {
        let value = try JSONValue(from: decoder)
        guard let object = value.object else {
            throw JSONError.value(path: "", reason: "expected an object, found \(value.kindName)")
        }
        for (name, value) in object {
            switch name {
            case "Id": summary.id = value.string ?? ""
            case "Names": summary.names = (value.array ?? []).compactMap(\.string)
            case "Image": summary.image = value.string ?? ""
            case "ImageID": summary.imageID = value.string ?? ""
            case "Command": summary.command = value.string ?? ""
            case "Created": summary.created = value.int ?? 0
            case "Ports": summary.ports = try JSON.decode([PortSummary]?.self, from: value) ?? []
            case "SizeRw": summary.sizeRw = value.int ?? 0
            case "SizeRootFs": summary.sizeRootFs = value.int ?? 0
            case "Labels":
                for (label, text) in value.object ?? JSONObject() { summary.labels[label] = text.string }
            case "State": summary.state = value.string ?? ""
            case "Status": summary.status = value.string ?? ""
            case "NetworkSettings":
                // Their names alone.
                for network in value["Networks"]?.object?.keys ?? [] {
                    summary.networkSettings.networks[network] = EndpointSettings()
                }
            case "Mounts": summary.mounts = try JSON.decode([MountPoint]?.self, from: value) ?? []
            default: break
            }
        }
    }
}
