import Engine
import EngineAPIModel

extension ExecConfiguration {
    /// What an exec request asks for.
    ///
    /// - Throws: `APIError` (invalid) for an empty command.
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
        detachKeys = wire.detachKeys
        if version >= .v(42) { consoleSize = ConsoleSize(wire: wire.consoleSize) }
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
        detachKeys = details.configuration.detachKeys
        pid = Int(details.pid)
    }
}
