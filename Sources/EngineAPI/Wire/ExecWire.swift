import Engine
import EngineAPIModel
import Text

extension ExecConfiguration {
    /// What an exec request asks for.
    ///
    /// - Throws: `APIError` (invalid) for an empty command and for detach keys that do not exist.
    package init(_ wire: ExecCreateRequest, version: APIVersion) throws {
        guard let command = wire.cmd, !command.isEmpty else { throw APIError.invalid("No exec command specified") }
        self.init(command: command)
        environment = wire.env ?? []
        user = wire.user
        workingDirectory = wire.workingDir
        tty = wire.tty
        privileged = wire.privileged
        attachStdin = wire.attachStdin
        attachStdout = wire.attachStdout
        attachStderr = wire.attachStderr
        do throws(DetachKeys.Unknown) {
            detachKeys = try DetachKeys(parsing: wire.detachKeys)
        } catch {
            throw APIError.invalid("Invalid escape keys (\(wire.detachKeys)) provided")
        }
        consoleSize = ConsoleSize(wire: wire.consoleSize)
    }
}

extension ExecInspection {
    /// What `GET /exec/{id}/json` answers.
    package init(_ details: ExecDetails) {
        self.init()
        id = details.id
        running = details.isRunning
        exitCode = details.exitCode.map(Int.init)
        processConfig.tty = details.configuration.tty
        processConfig.entrypoint = details.configuration.command.first ?? ""
        processConfig.arguments = Array(details.configuration.command.dropFirst())
        processConfig.privileged = details.configuration.privileged
        processConfig.user = details.user
        openStdin = details.openStdin
        openStderr = details.openStderr
        openStdout = details.openStdout
        canRemove = details.canRemove
        containerID = details.containerID
        detachKeys = details.configuration.detachKeys.text
        pid = Int(details.pid)
    }
}
