/// Why bytes are not JSON, or why JSON is not the value asked for.
package enum JSONError: Error, Hashable, Sendable {
    /// The bytes are not JSON at this place (line and column count from 1, the column in bytes).
    case syntax(line: Int, column: Int, reason: String)
    /// The value at this path (such as `linux.resources.memory.limit`) is not what its reader needs.
    case value(path: String, reason: String)
}

extension JSONError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .syntax(let line, let column, let reason):
            "invalid JSON at line \(line), column \(column): \(reason)"
        case .value(let path, let reason):
            path.isEmpty ? "invalid JSON value: \(reason)" : "invalid JSON value at \(path): \(reason)"
        }
    }

    /// The same error, seen from the container of the value: `key` comes before the path.
    ///
    /// Paths are put together only when an error travels up; keeping one while all goes well would cost more than the
    /// decoding itself.
    func within(_ key: some CodingKey) -> JSONError {
        guard case .value(let path, let reason) = self else { return self }
        let step = key.intValue.map { "[\($0)]" } ?? key.stringValue
        let separator = path.isEmpty || path.hasPrefix("[") ? "" : "."
        return .value(path: step + separator + path, reason: reason)
    }

    /// What a type's own `init(from:)` threw in the standard library's terms.
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            self = .value(path: "", reason: context.debugDescription)
        case .keyNotFound(let key, _):
            self = .value(path: key.stringValue, reason: "is missing")
        @unknown default:
            self = .value(path: "", reason: "\(error)")
        }
    }
}

/// Runs `body`; an error about a value gets `key` put before its path.
func within<T>(_ key: some CodingKey, _ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as JSONError {
        throw error.within(key)
    } catch let error as DecodingError {
        throw JSONError(error).within(key)
    } catch let error as EncodingError {
        guard case .invalidValue(_, let context) = error else { throw error }
        throw JSONError.value(path: "", reason: context.debugDescription).within(key)
    }
}
