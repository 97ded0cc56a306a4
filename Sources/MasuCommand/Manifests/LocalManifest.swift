import Base64
import JSON
import OCISpec
import Text

/// One image of a manifest list that is still on this machine, as docker's clients keep it in a file.
package struct LocalManifest: Equatable {
    /// Its full name.
    package let reference: String
    /// What the list will say of it: media type, size, digest and platform.
    package private(set) var descriptor: JSONObject
    /// The manifest's bytes.
    package let document: [UInt8]

    /// A manifest of a registry.
    package init(reference: String, descriptor: JSONObject, document: [UInt8]) {
        self.reference = reference
        self.descriptor = descriptor
        self.document = document
    }

    /// Reads a file of docker's or of this program's.
    ///
    /// - Throws: ``CommandError`` for what is none.
    package init(parsing bytes: [UInt8]) throws(CommandError) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSON.parse(bytes)
        } catch {
            throw CommandError("\(error)")
        }
        guard let reference = value["Ref"]?.string, let descriptor = value["Descriptor"]?.object,
            let document = value["Raw"]?.string.flatMap({ Base64.decode($0) })
        else { throw CommandError("it has no Ref, Descriptor and Raw") }
        self.init(reference: reference, descriptor: descriptor, document: document)
    }

    /// The file's bytes.
    package var serialized: [UInt8] {
        var file = JSONObject()
        file["Ref"] = .string(reference)
        file["Descriptor"] = .object(descriptor)
        file["Raw"] = .string(Base64.encode(document))
        // docker reads the manifest itself from one of these; what is no JSON was refused when it came.
        if let value = try? JSON.parse(document) { file[Self.kind(of: descriptor)] = value }
        return JSONValue.object(file).serialized()
    }

    /// The member that holds the manifest itself, here and in what `manifest inspect --verbose` shows.
    static func kind(of descriptor: JSONObject) -> String {
        let isDocker = descriptor["mediaType"]?.string?.holds("docker") ?? false
        return isDocker ? "SchemaV2Manifest" : "OCIManifest"
    }

    /// The platform that the list will name, as far as it is known.
    package var platform: (system: String, architecture: String) {
        let platform = descriptor["platform"]
        return (platform?["os"]?.string ?? "", platform?["architecture"]?.string ?? "")
    }

    /// Changes what the list will say of the platform. Empty texts change nothing, features are added.
    package mutating func annotate(
        system: String, architecture: String, variant: String, version: String, features: [String]
    ) {
        var platform = descriptor["platform"]?.object ?? JSONObject()
        let texts = [
            ("architecture", architecture), ("os", system), ("os.version", version), ("variant", variant),
        ]
        for (name, text) in texts where !text.isEmpty { platform[name] = .string(text) }
        var all = platform["os.features"]?.array?.compactMap(\.string) ?? []
        for feature in features where !all.contains(feature) { all.append(feature) }
        if !all.isEmpty { platform["os.features"] = .array(all.map { .string($0) }) }
        descriptor["platform"] = .object(platform)
    }

    // MARK: Lists

    /// The media type of the list of some manifests: that of the first one decides, as with docker.
    package static func listType(of manifests: [LocalManifest]) -> String {
        manifests.first?.descriptor["mediaType"]?.string == MediaType.ociManifest
            ? MediaType.ociIndex : MediaType.dockerManifestList
    }

    /// The list of some manifests, byte for byte as docker makes it, so that both push the same digest.
    package static func list(of manifests: [LocalManifest]) -> [UInt8] {
        var list = JSONObject()
        list["schemaVersion"] = .int(2)
        list["mediaType"] = .string(listType(of: manifests))
        list["manifests"] = .array(manifests.map { .object($0.entry) })
        let lines = JSONValue.object(list).text(pretty: true).split(separator: "\n").map { line in
            // Docker indents lists by three blanks.
            let text = line.drop { $0 == " " }
            return String(repeating: " ", count: (line.utf8.count - text.utf8.count) / 4 * 3) + text
        }
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// The descriptor with its members in docker's order.
    private var entry: JSONObject {
        func ordered(_ object: JSONObject, _ first: [String]) -> JSONObject {
            var result = JSONObject()
            for name in first { if let value = object[name] { result[name] = value } }
            for (name, value) in object where !first.contains(name) { result[name] = value }
            return result
        }
        var entry = ordered(descriptor, ["mediaType", "size", "digest"])
        if let platform = descriptor["platform"]?.object {
            entry["platform"] = .object(
                ordered(platform, ["architecture", "os", "os.version", "os.features", "variant"]))
        }
        return entry
    }
}
