import Flags
import Text

/// Signatures of images by Notary, docker's content trust.
enum ContentTrust {
    /// Whether images are taken without signatures; the only way there is.
    static let isDisabled = Flag.boolean("disable-content-trust", "Skip image verification", default: true).hidden()

    /// Refuses what somebody relies on for their safety.
    ///
    /// - Throws: ``CommandError`` where flag or environment ask for verified images.
    static func check(_ flags: ParsedFlags) throws(CommandError) {
        let text = Console.environment("DOCKER_CONTENT_TRUST") ?? ""
        let variable = !text.isEmpty && GoBoolean.parse(text) ?? true
        let isAsked = flags.isSet(isDisabled) ? !flags[isDisabled] : variable
        guard !isAsked else {
            let asker = flags.isSet(isDisabled) ? "--disable-content-trust=false" : "DOCKER_CONTENT_TRUST"
            throw CommandError(
                "\(asker): content trust is not supported, because its servers are being shut down. Name the image by "
                    + "its digest (NAME@sha256:…) to get exactly that one.")
        }
    }
}
