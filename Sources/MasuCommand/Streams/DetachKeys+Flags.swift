import Flags
import Text

extension DetachKeys {
    /// The keys of `--detach-keys`, or else of the user's `config.json`, or else docker's.
    ///
    /// - Throws: ``CommandError`` for unknown keys.
    init(_ flags: ParsedFlags) throws(CommandError) {
        let given = flags[ContainerCommands.detachKeys]
        let text = given.isEmpty ? ClientConfiguration.user.detachKeys : given
        do throws(Unknown) {
            try self.init(parsing: text)
        } catch {
            throw CommandError("Invalid detach keys (\(text)) provided: \(error.reason)")
        }
    }
}
