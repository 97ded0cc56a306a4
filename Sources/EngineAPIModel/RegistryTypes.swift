/// Credentials for a registry: the body of `POST /auth`, and `X-Registry-Auth` in base64.
package struct AuthConfig: WireObject {
    /// The user.
    @OmittedIfEmpty package var username: String = ""
    /// The password.
    @OmittedIfEmpty package var password: String = ""
    /// User and password in base64, as configuration files have them.
    @OmittedIfEmpty package var auth: String = ""
    /// The registry.
    @OmittedIfEmpty package var serverAddress: String = ""
    /// A refresh token.
    @OmittedIfEmpty package var identityToken: String = ""
    /// An access token.
    @OmittedIfEmpty package var registryToken: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case username, password, auth
        case serverAddress = "serveraddress"
        case identityToken = "identitytoken"
        case registryToken = "registrytoken"
    }
}

/// The answer to `POST /auth`.
package struct AuthResponse: WireObject {
    /// The text for the user: `Login Succeeded`.
    @Always package var status: String = ""
    /// A refresh token to keep instead of the password; empty if the registry gives none.
    @Always package var identityToken: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status"
        case identityToken = "IdentityToken"
    }
}

/// What a registry has under a name: `GET /distribution/{name}/json`.
package struct DistributionInspection: WireObject {
    /// The manifest or index.
    @Always package var descriptor: ImageDescriptor = ImageDescriptor()
    /// The platforms of the image.
    @Always package var platforms: [PlatformDescription] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case descriptor = "Descriptor"
        case platforms = "Platforms"
    }
}

/// What is put into a registry: `POST /distribution/{name}/manifest`. One of the two ways to say it.
package struct ManifestPush: WireObject {
    /// The type of the document.
    @OmittedIfEmpty package var mediaType: String = ""
    /// A manifest or an index, to be put under the name as it is.
    @OmittedIfEmpty package var document: String = ""
    /// A manifest of another repository of the same registry, to be copied with all that it refers to.
    @OmittedIfEmpty package var from: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case mediaType = "MediaType"
        case document = "Document"
        case from = "From"
    }
}

/// A platform, as the OCI image specification writes it.
package struct PlatformDescription: WireObject {
    /// The processor architecture, by Go's names.
    @Always package var architecture: String = ""
    /// The operating system, by Go's names.
    @Always package var os: String = ""
    /// The version of the operating system.
    @OmittedIfEmpty package var osVersion: String = ""
    /// What the operating system has to be able to do.
    @OmittedIfEmpty package var osFeatures: [String] = []
    /// The variant of the architecture.
    @OmittedIfEmpty package var variant: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case architecture, os
        case osVersion = "os.version"
        case osFeatures = "os.features"
        case variant
    }
}

/// A line of `GET /images/search`.
package struct ImageSearchResult: WireObject {
    /// How many users have marked the image.
    @Always package var stars: Int = 0
    /// Whether Docker itself publishes the image.
    @Always package var isOfficial: Bool = false
    /// The name of the image.
    @Always package var name: String = ""
    /// Whether Docker Hub has built the image; always false today.
    @Always package var isAutomated: Bool = false
    /// The text of its publisher.
    @Always package var description: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case stars = "star_count"
        case isOfficial = "is_official"
        case name
        case isAutomated = "is_automated"
        case description
    }
}

/// The result of a push, in the last line of its progress.
package struct PushResult: WireObject {
    /// The tag.
    @Always package var tag: String = ""
    /// The digest of the manifest.
    @Always package var digest: String = ""
    /// The bytes of the manifest.
    @Always package var size: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case tag = "Tag"
        case digest = "Digest"
        case size = "Size"
    }
}
