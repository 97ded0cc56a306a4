import BuildInformation
import EngineAPIModel
import JSON

/// The API as an OpenAPI 3.0 document, for one version of it.
package struct OpenAPIDocument {
    private let version: APIVersion
    private var schemas = JSONObject()
    private var todo: [any WireStructure.Type] = [ErrorResponse.self]

    /// The document for a version.
    package static func make(_ version: APIVersion = .newest) -> JSONValue {
        var document = OpenAPIDocument(version: version)
        return document.document()
    }

    private init(version: APIVersion) { self.version = version }

    private mutating func document() -> JSONValue {
        var paths = JSONObject()
        for (title, endpoints) in APITable.groups {
            for endpoint in endpoints where endpoint.versions.contains(version) {
                var path = paths[endpoint.path]?.object ?? JSONObject()
                path[endpoint.method.rawValue.lowercased()] = operation(endpoint, title)
                paths[endpoint.path] = .object(path)
            }
        }
        while let type = todo.popLast() {
            let name = Self.name(type)
            if schemas[name] == nil { schemas[name] = schema(of: type) }
        }
        var sorted = JSONObject()
        for name in schemas.keys.sorted() { sorted[name] = schemas[name] }
        return [
            "openapi": "3.0.3",
            "info": [
                "title": "Docker Engine API as Masu serves it", "version": .string(version.description),
                "description": .string(
                    "Made by masud \(MasuVersion.version) from its own table. 501 and 503 are answers of operations "
                        + "that are refused, with a message that says why."),
                "license": ["name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"],
            ],
            "servers": [["url": .string("/v\(version)")]],
            "paths": .object(paths), "components": ["schemas": .object(sorted)],
        ]
    }

    static func name(_ type: any WireStructure.Type) -> String { type.wireName }

    // MARK: Operations

    private mutating func operation(_ endpoint: APIEndpoint, _ title: String) -> JSONValue {
        var operation = JSONObject()
        operation["summary"] = .string(endpoint.summary)
        operation["tags"] = [.string(title)]
        operation["operationId"] = .string(Self.identifier(endpoint))
        let places: [JSONValue] = endpoint.places.map { name in
            [
                "name": .string(name), "in": "path", "required": true,
                "schema": ["type": "string", "minLength": 1],
            ]
        }
        let parameters = endpoint.parameters.filter { $0.versions.contains(version) }.map(Self.parameter)
        if !places.isEmpty || !parameters.isEmpty { operation["parameters"] = .array(places + parameters) }
        if let body = body(endpoint.body) { operation["requestBody"] = body }
        operation["responses"] = responses(endpoint)
        return .object(operation)
    }

    private static func identifier(_ endpoint: APIEndpoint) -> String {
        let words = endpoint.path.split { !$0.isLetter && !$0.isNumber }
        return endpoint.method.rawValue.lowercased() + words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private static func parameter(_ parameter: APIParameter) -> JSONValue {
        let schema: JSONValue =
            switch parameter.kind {
            case .flag: ["type": "boolean"]
            case .integer: ["type": "integer"]
            case .text, .moment, .filters: ["type": "string"]
            case .texts, .platforms: ["type": "array", "items": ["type": "string"]]
            }
        var value = JSONObject()
        value["name"] = .string(parameter.name)
        value["in"] = "query"
        value["description"] = .string(parameter.meaning)
        if parameter.isNeeded { value["required"] = true }
        value["schema"] = schema
        return .object(value)
    }

    private mutating func body(_ body: APIBody) -> JSONValue? {
        switch body {
        case .none: nil
        case .document(let type, let isNeeded):
            ["required": .bool(isNeeded), "content": ["application/json": ["schema": reference(type)]]]
        case .archive:
            ["content": ["application/x-tar": ["schema": ["type": "string", "format": "binary"]]]]
        }
    }

    private mutating func responses(_ endpoint: APIEndpoint) -> JSONValue {
        let failure: JSONValue = [
            "description": "what is wrong, in words",
            "content": ["application/json": ["schema": reference(ErrorResponse.self)]],
        ]
        var all = JSONObject()
        if let refusal = endpoint.refusal {
            all[String(refusal.status)] = failure
            all["default"] = failure
            return .object(all)
        }
        let (status, content) = success(endpoint.answer)
        var answer = JSONObject()
        answer["description"] = "done"
        if let content { answer["content"] = content }
        all[String(status)] = .object(answer)
        all["default"] = failure
        return .object(all)
    }

    private mutating func success(_ answer: APIAnswer) -> (status: Int, content: JSONValue?) {
        func content(_ type: String, _ schema: JSONValue) -> JSONValue {
            var content = JSONObject()
            content[type] = ["schema": schema]
            return .object(content)
        }
        let bytes: JSONValue = ["type": "string", "format": "binary"]
        switch answer {
        case .nothing(let status): return (status, nil)
        case .document(let type, let status): return (status, content("application/json", reference(type)))
        case .list(let type):
            return (200, content("application/json", ["type": "array", "items": reference(type)]))
        // More than one document is no document: a stream has no schema in OpenAPI.
        case .lines(let type):
            _ = reference(type)
            return (200, content("application/json", [:]))
        case .anything(let status): return (status, content("application/json", [:]))
        case .text: return (200, content("text/plain", ["type": "string"]))
        case .archive: return (200, content("application/x-tar", bytes))
        case .output: return (200, content("application/vnd.docker.multiplexed-stream", bytes))
        case .connection: return (101, nil)
        }
    }

    // MARK: Types

    private mutating func reference(_ type: any WireStructure.Type) -> JSONValue {
        todo.append(type)
        return ["$ref": .string("#/components/schemas/\(Self.name(type))")]
    }

    private mutating func schema(of type: any WireStructure.Type) -> JSONValue {
        var properties = JSONObject()
        for field in type.fields {
            // What is sent in some versions only and has no such limit in requests is a matter of answers.
            let limits = VersionedField.all.filter { $0.type == type && $0.name == field.name }
                .flatMap { [$0.sent, $0.accepted] }.filter { $0 != .all }
            guard limits.isEmpty || limits.contains(where: { $0.contains(version) }) else { continue }
            properties[field.name] = schema(field.shape)
        }
        return ["type": "object", "properties": .object(properties)]
    }

    private mutating func schema(_ shape: WireShape) -> JSONValue {
        switch shape {
        case .text: ["type": "string"]
        case .truth: ["type": "boolean"]
        case .integer: ["type": "integer", "format": "int64"]
        case .optional(let inner): Self.nullable(schema(inner))
        case .list(let element): ["type": "array", "items": schema(element)]
        case .map(let value): ["type": "object", "additionalProperties": schema(value)]
        case .object(let type): reference(type)
        }
    }

    private static func nullable(_ schema: JSONValue) -> JSONValue {
        guard var object = schema.object else { return schema }
        // Beside a reference nothing else counts.
        if object["$ref"] != nil { return ["allOf": [schema], "nullable": true] }
        object["nullable"] = true
        return .object(object)
    }
}
