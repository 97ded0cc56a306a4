import CYAML
import JSON

/// Why a text is no YAML that can be read.
package struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from 1.
    package let line: Int
    /// In words.
    package let reason: String

    package var description: String { "line \(line): \(reason)" }
}

/// The first document of a YAML text as a JSON value (YAML 1.1 as libyaml reads it, the core schema's plain scalars).
///
/// JSON is YAML, too. Aliases are refused: a few lines of them spell gigabytes.
package enum YAMLDocument {
    /// - Throws: `YAMLError` for what is no YAML, has aliases, or is nested too deep.
    package static func parse(_ bytes: [UInt8]) throws(YAMLError) -> JSONValue {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { throw YAMLError(line: 1, reason: "out of memory") }
        defer { yaml_parser_delete(&parser) }
        let result: Result<JSONValue, YAMLError> = bytes.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            do throws(YAMLError) {
                return .success(try document(&parser))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func document(_ parser: inout yaml_parser_t) throws(YAMLError) -> JSONValue {
        while true {
            var event = try next(&parser)
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT: continue
            case YAML_STREAM_END_EVENT, YAML_DOCUMENT_END_EVENT: return .null
            default: return try value(event, &parser, depth: 0)
            }
        }
    }

    private static func next(_ parser: inout yaml_parser_t) throws(YAMLError) -> yaml_event_t {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else {
            throw YAMLError(
                line: Int(parser.problem_mark.line) + 1,
                reason: parser.problem.map { String(cString: $0) } ?? "not YAML")
        }
        return event
    }

    /// The value that begins with an event, which stays its caller's.
    private static func value(
        _ event: yaml_event_t, _ parser: inout yaml_parser_t, depth: Int
    ) throws(YAMLError) -> JSONValue {
        let line = Int(event.start_mark.line) + 1
        guard depth < JSON.depthLimit else { throw YAMLError(line: line, reason: "nested too deep") }
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return scalar.plain_implicit == 1 ? plain(text) : .string(text)
        case YAML_SEQUENCE_START_EVENT:
            var elements: [JSONValue] = []
            while true {
                var event = try next(&parser)
                defer { yaml_event_delete(&event) }
                if event.type == YAML_SEQUENCE_END_EVENT { return .array(elements) }
                elements.append(try value(event, &parser, depth: depth + 1))
            }
        case YAML_MAPPING_START_EVENT:
            var object = JSONObject()
            while true {
                var event = try next(&parser)
                defer { yaml_event_delete(&event) }
                if event.type == YAML_MAPPING_END_EVENT { return .object(object) }
                guard event.type == YAML_SCALAR_EVENT else { throw YAMLError(line: line, reason: "a key is no text") }
                let scalar = event.data.scalar
                let key = String(
                    decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
                var member = try next(&parser)
                defer { yaml_event_delete(&member) }
                object[key] = try value(member, &parser, depth: depth + 1)
            }
        case YAML_ALIAS_EVENT: throw YAMLError(line: line, reason: "aliases are not read")
        default: throw YAMLError(line: line, reason: "expected a value")
        }
    }

    /// What a scalar without quotes means.
    private static func plain(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        // As in Go's decoder of YAML: 0o644 and 0644 are octal.
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0", 8)] where text.hasPrefix(prefix) && text.count > 1 {
            if let number = Int64(text.dropFirst(prefix.count), radix: radix) { return .int(number) }
        }
        if let number = Int64(text) { return .int(number) }
        if text.contains(where: \.isNumber), let number = Double(text), number.isFinite { return .double(number) }
        return .string(text)
    }
}
