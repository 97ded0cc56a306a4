import Flags
import JSON
import OCISpec

/// Values of `--platform` that choose among what an image has.
enum PlatformText {
    /// The platform of images that are run, created and pulled: that of a flag, or else of `DOCKER_DEFAULT_PLATFORM`.
    static func chosen(_ flag: Flag<String>, _ flags: ParsedFlags) -> String? {
        if let text = flags.given(flag) { return text }
        let text = Console.environment("DOCKER_DEFAULT_PLATFORM") ?? ""
        return text.isEmpty ? nil : text
    }

    /// A platform as the API takes it, a JSON object of the image specification, made from `os[/arch[/variant]]`.
    ///
    /// - Throws: ``CommandError`` for a text that is not a platform.
    static func encoded(_ text: some StringProtocol) throws(CommandError) -> String {
        do {
            return String(decoding: try JSON.encode(try Platform(parsing: String(text))), as: UTF8.self)
        } catch {
            throw CommandError("invalid platform: \(error)")
        }
    }

    /// All platforms of a flag that may be given several times, each time with several of them divided by commas.
    static func encoded(list texts: [String]) throws(CommandError) -> [String] {
        var result: [String] = []
        for text in texts.flatMap({ $0.split(separator: ",") }) { result.append(try encoded(text)) }
        return result
    }
}
