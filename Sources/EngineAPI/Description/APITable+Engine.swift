import EngineAPIModel

extension APITable {
    static let networks: [APIEndpoint] = [
        APIEndpoint(
            .GET, "/networks", "lists networks",
            [.filters("`dangling`, `driver`, `id`, `label`, `name`, `scope`, `type`")],
            answer: .list(NetworkInspection.self)),
        APIEndpoint(
            .GET, "/networks/{name}", "tells all about a network",
            [.text("verbose", "a truth value, without effect here"), .text("scope", "`local`: there are no others")],
            answer: .document(NetworkInspection.self)),
        APIEndpoint(
            .POST, "/networks/create", "makes a network", body: .document(NetworkCreateRequest.self),
            answer: .document(NetworkCreateResponse.self, status: 201)),
        APIEndpoint(
            .POST, "/networks/{name}/connect", "connects a container", body: .document(NetworkConnectRequest.self),
            answer: .nothing(200)),
        APIEndpoint(
            .POST, "/networks/{name}/disconnect", "disconnects a container",
            body: .document(NetworkDisconnectRequest.self), answer: .nothing(200)),
        APIEndpoint(.DELETE, "/networks/{name}", "removes a network"),
        APIEndpoint(
            .POST, "/networks/prune", "removes networks that no container is on", versions: .from(25),
            [.filters("`label`, `label!`, `until`")], answer: .document(NetworksPruneReport.self)),
    ]

    static let volumes: [APIEndpoint] = [
        APIEndpoint(
            .GET, "/volumes", "lists volumes", [.filters("`dangling`, `driver`, `label`, `name`")],
            answer: .document(VolumeList.self)),
        APIEndpoint(
            .GET, "/volumes/{name}", "tells all about a volume", answer: .document(VolumeInspection.self)),
        APIEndpoint(
            .POST, "/volumes/create", "makes a volume, or finds the one of this name",
            body: .document(VolumeCreateRequest.self, isNeeded: false),
            answer: .document(VolumeInspection.self, status: 201)),
        APIEndpoint(
            .PUT, "/volumes/{name}", "changes a volume of Swarm's", versions: .from(42),
            [.integer("version", "which version of it is to be changed")], answer: .nothing(200),
            refusal: .noClusterVolumes),
        APIEndpoint(
            .DELETE, "/volumes/{name}", "removes a volume",
            [.flag("force", "no error if it is not there, or its plugin does not answer")]),
        APIEndpoint(
            .POST, "/volumes/prune", "removes volumes that no container uses", versions: .from(25),
            [.filters("`all`, `label`, `label!`")], answer: .document(VolumesPruneReport.self)),
    ]

    static let system: [APIEndpoint] = [
        APIEndpoint(.GET, "/_ping", "answers, and tells the version of the API in a header", answer: .text),
        APIEndpoint(.HEAD, "/_ping", "the same without a body", answer: .nothing(200)),
        APIEndpoint(.GET, "/version", "tells versions", answer: .document(VersionResponse.self)),
        APIEndpoint(.GET, "/info", "tells of the daemon and its machine", answer: .document(SystemInfo.self)),
        APIEndpoint(
            .GET, "/events",
            "sends what happens, as JSON documents; `Accept` may ask for `application/jsonl`, "
                + "`application/x-ndjson` or `application/json-seq`",
            [
                .moment("since", "what has happened since then, and what will"), .moment("until", "up to then"),
                .filters(
                    "`container`, `daemon`, `event`, `image`, `label`, `network`, `scope`, `type`, `volume` and other "
                        + "kinds of objects; others have no effect"),
            ], answer: .lines(EventMessage.self)),
        APIEndpoint(
            .GET, "/system/df", "tells what takes room on the disk",
            [
                .texts("type", "only `container`, `image`, `volume` or `build-cache`", .from(42)),
                .flag("verbose", "with each object", .from(52)),
            ], answer: .document(DiskUsage.self)),
    ]

    static let own: [APIEndpoint] = [
        APIEndpoint(
            .GET, "/distribution/{name}/manifest", "the manifest itself, as the registry has it", answer: .anything()),
        APIEndpoint(
            .POST, "/distribution/{name}/manifest",
            "puts a manifest or an index into the registry, or copies one from another of its repositories",
            body: .document(ManifestPush.self), answer: .document(ImageDescriptor.self)),
        APIEndpoint(
            .GET, "/masu/networks/firewall", "tells who can reach published ports",
            [.texts("container", "only those of these containers")], answer: .document(NetworkFirewall.self)),
        APIEndpoint(
            .GET, "/masu/limits", "tells what the machine's limits allow", answer: .document(HostLimitReport.self)),
        APIEndpoint(
            .POST, "/masu/limits", "raises the machine's limits", answer: .anything()),
        APIEndpoint(
            .POST, "/masu/check", "reads all that is stored and tells what is wrong with it",
            answer: .lines(CheckLine.self)),
        APIEndpoint(.GET, "/masu/openapi.json", "this description, as an OpenAPI document", answer: .anything()),
    ]
}
