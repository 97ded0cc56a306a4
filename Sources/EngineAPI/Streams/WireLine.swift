import EngineAPIModel
import JSON

/// JSON documents one after the other in a stream.
enum WireLine {
    /// One document and what ends it: `\n` for events and wait, `\r\n` for progress, as Docker writes them. `version`
    /// is that of the request, for types whose fields depend on it.
    static func bytes(_ value: some Encodable, ending: String, version: APIVersion = .newest) throws -> [UInt8] {
        try JSON.encode(value, rules: WireRules.sending(version)) + Array(ending.utf8)
    }

    /// A line of progress.
    static func progress(_ message: ProgressMessage) throws -> [UInt8] { try bytes(message, ending: "\r\n") }

    /// A line that says why the whole failed.
    static func failure(_ error: any Error) throws -> [UInt8] {
        let text = ErrorMapping.response(for: error).message
        var detail = ProgressError()
        detail.message = text
        var message = ProgressMessage()
        message.errorDetail = detail
        message.error = text
        return try progress(message)
    }
}
