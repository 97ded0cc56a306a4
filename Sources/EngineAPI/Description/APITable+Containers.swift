import EngineAPIModel

extension APITable {
    static let containers: [APIEndpoint] = [
        APIEndpoint(
            .GET, "/containers/json", "lists containers",
            [
                .flag("all", "also those that do not run"), .integer("limit", "at most so many, the newest"),
                .flag("size", "with the bytes of their files"),
                .filters(
                    "`ancestor`, `before`, `exited`, `expose`, `health`, `id`, `is-task`, `isolation`, `label`, "
                        + "`name`, `network`, `publish`, `since`, `status`, `volume`"),
            ], answer: .list(ContainerSummary.self)),
        APIEndpoint(
            .POST, "/containers/create", "makes a container",
            [
                .text("name", "its name; without one it gets a random one"),
                .text("platform", "`os/architecture` that the image has to be for", .from(41)),
            ], body: .document(ContainerCreateRequest.self),
            answer: .document(ContainerCreateResponse.self, status: 201)),
        APIEndpoint(
            .GET, "/containers/{name}/json", "tells all about a container",
            [.flag("size", "with the bytes of its files")], answer: .document(ContainerInspection.self)),
        APIEndpoint(
            .POST, "/containers/{name}/start", "starts a container; 304 if it runs",
            [
                .text("detachKeys", "keys that detach the clients that attached before"),
                .text("checkpoint", "lets its processes go on from this checkpoint; for experimental daemons"),
                .text("checkpoint-dir", "the directory that the checkpoint is in, an absolute path of the daemon's"),
            ]),
        APIEndpoint(
            .POST, "/containers/{name}/stop", "ends a container; 304 if it does not run",
            [
                .integer("t", "seconds until it is killed; -1: never"),
                .text("signal", "the signal in the place of its own", .from(42)),
            ]),
        APIEndpoint(
            .POST, "/containers/{name}/restart", "ends a container and starts it again",
            [
                .integer("t", "seconds until it is killed; -1: never"),
                .text("signal", "the signal in the place of its own", .from(42)),
            ]),
        APIEndpoint(
            .POST, "/containers/{name}/kill", "sends a signal", [.text("signal", "name or number; SIGKILL if empty")]),
        APIEndpoint(.POST, "/containers/{name}/pause", "lets all processes of a container stand still"),
        APIEndpoint(.POST, "/containers/{name}/unpause", "lets them go on"),
        APIEndpoint(
            .POST, "/containers/{name}/rename", "gives a container another name",
            [.text("name", "the new name", isNeeded: true)]),
        APIEndpoint(
            .POST, "/containers/{name}/update", "changes limits, restart policy and published ports",
            body: .document(ContainerUpdateRequest.self), answer: .document(ContainerUpdateResponse.self)),
        APIEndpoint(
            .POST, "/containers/{name}/wait", "waits for the end of a container",
            [.text("condition", "`not-running`, `next-exit` or `removed`", .from(30))],
            answer: .document(ContainerWaitResponse.self)),
        APIEndpoint(
            .DELETE, "/containers/{name}", "removes a container",
            [
                .flag("force", "kills it first if it runs"), .flag("v", "with its anonymous volumes"),
                .flag("link", "removes a link instead"),
            ]),
        APIEndpoint(
            .POST, "/containers/prune", "removes the containers that do not run", versions: .from(25),
            [.filters("`label`, `label!`, `until`")], answer: .document(ContainersPruneReport.self)),
        APIEndpoint(
            .GET, "/containers/{name}/stats", "tells what a container uses of the machine",
            [
                .flag("stream", "again every second; true if absent"),
                .flag("one-shot", "one sample, not two a second apart", .from(41)),
            ], answer: .anything()),
        APIEndpoint(
            .GET, "/containers/{name}/checkpoints", "lists the checkpoints of a container; for experimental daemons",
            [.text("dir", "the directory that they are in, an absolute path of the daemon's")],
            answer: .list(CheckpointSummary.self)),
        APIEndpoint(
            .POST, "/containers/{name}/checkpoints",
            "saves the state of a container's processes with CRIU; for experimental daemons",
            body: .document(CheckpointCreateRequest.self), answer: .nothing(201)),
        APIEndpoint(
            .DELETE, "/containers/{name}/checkpoints/{checkpoint}", "removes a checkpoint; for experimental daemons",
            [.text("dir", "the directory that it is in, an absolute path of the daemon's")]),
    ]

    static let streams: [APIEndpoint] = [
        APIEndpoint(
            .GET, "/containers/{name}/logs", "sends a container's output",
            [
                .flag("stdout", "standard output"), .flag("stderr", "standard error"),
                .flag("follow", "and what comes"), .moment("since", "from then on"), .moment("until", "up to then"),
                .flag("timestamps", "with the time of each line"), .flag("details", "with labels and variables"),
                .text("tail", "so many lines from the end, or `all`"),
            ], answer: .output),
        APIEndpoint(
            .POST, "/containers/{name}/attach", "connects with a container's streams",
            [
                .flag("logs", "what was written so far"), .flag("stream", "what comes"),
                .flag("stdin", "standard input"), .flag("stdout", "standard output"),
                .flag("stderr", "standard error"), .text("detachKeys", "keys that end the connection"),
            ], answer: .connection),
        APIEndpoint(
            .GET, "/containers/{name}/attach/ws",
            "the same by WebSocket, with the bytes of both streams as they are; before 1.42 always all streams",
            [
                .flag("logs", "what was written so far"), .flag("stream", "what comes"),
                .flag("stdin", "standard input", .from(42)), .flag("stdout", "standard output", .from(42)),
                .flag("stderr", "standard error", .from(42)), .text("detachKeys", "keys that end the connection"),
            ], answer: .connection),
        APIEndpoint(
            .POST, "/containers/{name}/resize", "gives the terminal another size",
            [.integer("h", "rows"), .integer("w", "columns")], answer: .nothing(200)),
        APIEndpoint(
            .GET, "/containers/{name}/top", "lists a container's processes",
            [.text("ps_args", "options of ps; `-ef` if absent")], answer: .document(ContainerTop.self)),
        APIEndpoint(
            .POST, "/containers/{name}/exec", "prepares a process in a container",
            body: .document(ExecCreateRequest.self), answer: .document(IDResponse.self, status: 201)),
        APIEndpoint(
            .POST, "/exec/{name}/start", "starts such a process",
            body: .document(ExecStartRequest.self), answer: .connection),
        APIEndpoint(
            .POST, "/exec/{name}/resize", "gives its terminal another size",
            [.integer("h", "rows"), .integer("w", "columns")], answer: .nothing(200)),
        APIEndpoint(.GET, "/exec/{name}/json", "tells all about it", answer: .document(ExecInspection.self)),
    ]

    static let files: [APIEndpoint] = [
        APIEndpoint(
            .HEAD, "/containers/{name}/archive",
            "tells of a path in a container, in the header `X-Docker-Container-Path-Stat`",
            [.text("path", "the path", isNeeded: true)], answer: .nothing(200)),
        APIEndpoint(
            .GET, "/containers/{name}/archive", "sends a path as a tar archive",
            [.text("path", "the path", isNeeded: true)], answer: .archive),
        APIEndpoint(
            .PUT, "/containers/{name}/archive", "unpacks a tar archive into a directory",
            [
                .text("path", "the directory", isNeeded: true),
                .flag("noOverwriteDirNonDir", "no file in the place of a directory, nor the other way round"),
                .flag("copyUIDGID", "files belong to the container's user"),
            ], body: .archive, answer: .nothing(200)),
        APIEndpoint(.GET, "/containers/{name}/export", "sends all files as a tar archive", answer: .archive),
        APIEndpoint(
            .GET, "/containers/{name}/changes", "lists what the container has changed of its image",
            answer: .list(FilesystemChange.self)),
    ]
}
