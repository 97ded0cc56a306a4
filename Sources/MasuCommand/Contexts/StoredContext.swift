import JSON

/// A named daemon, as docker's `meta.json` has it. What this program does not know stays as it is.
package struct StoredContext: Sendable {
    /// The name; also in the document.
    package private(set) var name: String
    private var document: JSONObject
    /// The files below `tls`, by endpoint: `ca.pem`, `cert.pem`, `key.pem`.
    package var secrets: [String: [(name: String, content: [UInt8])]] = [:]

    /// The endpoint that docker's clients use.
    package static let endpoint = "docker"
    /// The context that is made of `-H` and the environment and stored nowhere.
    package static let standardName = "default"
    /// What docker says of that one.
    package static let standardDescription = "Current DOCKER_HOST based configuration"

    /// A context for a daemon's address.
    package init(_ name: String, description: String = "", host: String, skipsTLSVerify: Bool = false) {
        self.name = name
        document = JSONObject()
        document["Name"] = .string(name)
        var metadata = JSONObject()
        if !description.isEmpty { metadata["Description"] = .string(description) }
        document["Metadata"] = .object(metadata)
        document["Endpoints"] = [:]
        setEndpoint(host: host, skipsTLSVerify: skipsTLSVerify)
    }

    /// Reads what `meta.json` holds.
    ///
    /// - Throws: ``CommandError`` when it is no object with endpoints.
    package init(parsing bytes: [UInt8]) throws(CommandError) {
        do throws(JSONError) {
            guard let object = try JSON.parse(bytes).object else {
                throw JSONError.value(path: "", reason: "must be an object")
            }
            document = object
        } catch {
            throw CommandError("\(error)")
        }
        name = document["Name"]?.string ?? ""
    }

    /// The file's bytes.
    package var serialized: [UInt8] { JSONValue.object(document).serialized() }

    /// The same context under another name.
    package func renamed(_ name: String) -> StoredContext {
        var copy = self
        copy.name = name
        copy.document["Name"] = .string(name)
        return copy
    }

    /// A word on what it is for; empty for none.
    package var description: String {
        get { document["Metadata"]?["Description"]?.string ?? "" }
        set {
            var metadata = document["Metadata"]?.object ?? JSONObject()
            metadata["Description"] = newValue.isEmpty ? nil : .string(newValue)
            document["Metadata"] = .object(metadata)
        }
    }

    /// `Metadata` as it is.
    package var metadata: JSONValue { document["Metadata"] ?? [:] }
    /// `Endpoints` as they are.
    package var endpoints: JSONValue { document["Endpoints"] ?? [:] }

    /// The daemon's address as the user wrote it; `nil` if the context is not about a daemon.
    package var host: String? { endpoints[Self.endpoint].map { $0["Host"]?.string ?? "" } }
    /// Whether the daemon's certificate is not to be verified.
    package var skipsTLSVerify: Bool { endpoints[Self.endpoint]?["SkipTLSVerify"]?.bool ?? false }

    /// Changes the daemon's address.
    package mutating func setEndpoint(host: String, skipsTLSVerify: Bool) {
        var all = document["Endpoints"]?.object ?? JSONObject()
        var endpoint = all[Self.endpoint]?.object ?? JSONObject()
        endpoint["Host"] = .string(host)
        endpoint["SkipTLSVerify"] = .bool(skipsTLSVerify)
        all[Self.endpoint] = .object(endpoint)
        document["Endpoints"] = .object(all)
    }

    /// What docker accepts as a name: `^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$`.
    package static func check(_ name: String) throws(CommandError) {
        guard !name.isEmpty else { throw CommandError("context name cannot be empty") }
        guard name != standardName else { throw CommandError(#""default" is a reserved context name"#) }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        let bytes = Array(name.utf8)
        let isValid = bytes.count > 1 && isAlphanumeric(bytes[0])
        guard isValid, bytes.allSatisfy({ isAlphanumeric($0) || "_.+-".utf8.contains($0) }) else {
            throw CommandError(
                #"context name "\#(name)" is invalid, names are validated against regexp "#
                    + #""^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$""#)
        }
    }
}
