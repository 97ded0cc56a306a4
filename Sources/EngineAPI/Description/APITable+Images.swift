import EngineAPIModel

extension APITable {
    static let images: [APIEndpoint] = [
        APIEndpoint(
            .GET, "/images/json", "lists images",
            [
                .flag("all", "without effect: there are no images between two steps of a build"),
                .filters("`before`, `dangling`, `label`, `reference`, `since`, `until`"),
                .text("filter", "a reference, in the place of a filter", .before(25)),
                .flag("shared-size", "with the bytes that they share", .from(42)),
                .flag("digests", "without effect: they are always there"),
                .flag("manifests", "with the manifests of each image", .from(47)),
                .flag("identity", "with what is known of the origin; needs `manifests`", .from(54)),
            ], answer: .list(ImageSummary.self)),
        APIEndpoint(
            .POST, "/images/create", "pulls an image, or imports an archive",
            [
                .text("fromImage", "what to pull"), .text("tag", "its tag or digest; empty: all tags"),
                .text("fromSrc", "what to import: `-` for the body, or a URL"),
                .text("repo", "the name of what is imported"), .text("message", "the comment on it"),
                .texts("changes", "instructions of a Dockerfile to apply"),
                .text("platform", "`os/architecture`"),
            ], body: .archive, answer: .lines(ProgressMessage.self)),
        APIEndpoint(
            .POST, "/images/load", "loads an archive of images",
            [
                .flag("quiet", "without progress; true if absent"),
                .platforms("platform", "of images for several, these", .from(48)),
            ], body: .archive, answer: .lines(ProgressMessage.self)),
        APIEndpoint(
            .GET, "/images/get", "sends images as an archive",
            [.texts("names", "which"), .platforms("platform", "of images for several, these", .from(48))],
            answer: .archive),
        APIEndpoint(
            .GET, "/images/{name}/get", "sends an image as an archive",
            [.platforms("platform", "of an image for several, these", .from(48))], answer: .archive),
        APIEndpoint(
            .GET, "/images/{name}/json", "tells all about an image",
            [
                .flag("manifests", "with its manifests", .from(48)),
                .platforms("platform", "that for this platform", .from(49)),
            ], answer: .document(ImageInspection.self)),
        APIEndpoint(
            .GET, "/images/{name}/history", "tells how an image was made",
            [.platforms("platform", "that for this platform", .from(48))], answer: .list(ImageHistoryEntry.self)),
        APIEndpoint(
            .GET, "/images/{name}/attestations", "lists the in-toto statements about an image", versions: .from(55),
            [
                .platforms("platform", "those about the image for this platform"),
                .texts("type", "those with this type of predicate"),
                .flag("statement", "with the statements themselves"),
            ], answer: .anything(), refusal: .noAttestations),
        APIEndpoint(
            .POST, "/images/{name}/tag", "gives an image a name more",
            [.text("repo", "the name", isNeeded: true), .text("tag", "the tag; `latest` if empty")],
            answer: .nothing(201)),
        APIEndpoint(
            .DELETE, "/images/{name}", "removes a name, and the image with its last one",
            [
                .flag("force", "also an image of containers"), .flag("noprune", "not the images below it"),
                .platforms("platforms", "only what is for these platforms", .from(50)),
            ], answer: .list(ImageDeletion.self)),
        APIEndpoint(
            .POST, "/images/prune", "removes images that nothing uses", versions: .from(25),
            [.filters("`dangling`, `label`, `label!`, `until`")], answer: .document(ImagesPruneReport.self)),
        APIEndpoint(
            .POST, "/commit", "makes an image of a container",
            [
                .text("container", "which", isNeeded: true), .text("repo", "the image's name"),
                .text("tag", "its tag"), .text("comment", "a comment"), .text("author", "who made it"),
                .flag("pause", "while it is made, the container stands still; true if absent"),
                .texts("changes", "instructions of a Dockerfile to apply"),
            ], body: .document(ImageConfig.self, isNeeded: false), answer: .document(IDResponse.self, status: 201)),
    ]

    static let registries: [APIEndpoint] = [
        APIEndpoint(
            .POST, "/images/{name}/push", "pushes an image",
            [
                .text("tag", "its tag; empty: all tags"),
                .platforms("platform", "only the image for this platform", .from(46)),
            ], answer: .lines(ProgressMessage.self)),
        APIEndpoint(
            .GET, "/images/search", "searches the registry",
            [
                .text("term", "the words", isNeeded: true), .integer("limit", "at most so many, up to 100"),
                .filters("`is-automated`, `is-official`, `stars`"),
            ], answer: .list(ImageSearchResult.self)),
        APIEndpoint(
            .GET, "/distribution/{name}/json", "asks the registry for an image's manifest and platforms",
            versions: .from(30), answer: .document(DistributionInspection.self)),
        APIEndpoint(
            .POST, "/auth", "tries a user's name and password",
            body: .document(AuthConfig.self, isNeeded: false), answer: .document(AuthResponse.self)),
    ]
}
