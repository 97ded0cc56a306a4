import JSON
import Text

/// What `exec inspect` shows of an exec's configuration, as its shim keeps it for the next daemon.
///
/// The environment and the working directory are not shown, and may be large. Members are only ever added: the daemon
/// that wrote a note may be of another version.
struct ExecNote: Codable {
    private var command: [String]?
    private var user: String?
    private var tty: Bool?
    private var privileged: Bool?
    private var stdin: Bool?
    private var stdout: Bool?
    private var stderr: Bool?
    private var detachKeys: String?
    private var probe: Bool?

    init(_ configuration: ExecConfiguration) {
        command = configuration.command
        user = configuration.user
        tty = configuration.tty
        privileged = configuration.privileged
        stdin = configuration.attachStdin
        stdout = configuration.attachStdout
        stderr = configuration.attachStderr
        detachKeys = configuration.detachKeys.text
        if configuration.isProbe { probe = true }
    }

    /// As JSON.
    var json: JSONValue? { try? JSON.encodeValue(self) }  // Texts and booleans can always be encoded.
}

extension ExecNote {
    /// What a note says of an exec, or what can be read of it: the exec is there in any case.
    static func configuration(_ note: JSONValue?) -> ExecConfiguration {
        // One without a note was not made by a daemon that knew of notes.
        let note = note.flatMap { try? JSON.decode(ExecNote.self, from: $0.serialized()) }
        var result = ExecConfiguration(command: note?.command ?? [])
        result.user = note?.user ?? ""
        result.tty = note?.tty ?? false
        result.privileged = note?.privileged ?? false
        result.isProbe = note?.probe ?? false
        result.attachStdin = note?.stdin ?? false
        result.attachStdout = note?.stdout ?? false
        result.attachStderr = note?.stderr ?? false
        // Keys that cannot be read are of no use anyway: nobody can attach to the exec again.
        result.detachKeys = (try? DetachKeys(parsing: note?.detachKeys ?? "")) ?? .standard
        return result
    }
}
