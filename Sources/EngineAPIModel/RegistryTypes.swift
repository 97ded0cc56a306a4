/// Credentials for a registry: the body of `POST /auth`, and `X-Registry-Auth` in base64.
package struct AuthConfig: WireObject {
    @OmittedIfEmpty package var username: String = ""
    @OmittedIfEmpty package var password: String = ""
    /// User and password in base64, as configuration files have them.
    @OmittedIfEmpty package var auth: String = ""
    /// The registry.
    @OmittedIfEmpty package var serverAddress: String = ""
    /// A refresh token.
    @OmittedIfEmpty package var identityToken: String = ""
    /// An access token.
    @OmittedIfEmpty package var registryToken: String = ""

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
    @Always package var status: String = ""
    @Always package var identityToken: String = ""

    package init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status"
        case identityToken = "IdentityToken"
    }
}

/// What a registry has under a name: `GET /distribution/{name}/json`.
package struct DistributionInspection: WireObject {
    @Always package var descriptor: ImageDescriptor = ImageDescriptor()
    @Always package var platforms: [PlatformDescription] = []

    package init() {}

    enum CodingKeys: String, CodingKey {
        case descriptor = "Descriptor"
        case platforms = "Platforms"
    }
}

/// A platform, as the OCI image specification writes it.
package struct PlatformDescription: WireObject {
    @Always package var architecture: String = ""
    @Always package var os: String = ""
    @OmittedIfEmpty package var osVersion: String = ""
    @OmittedIfEmpty package var variant: String = ""

    package init() {}

    enum CodingKeys: String, CodingKey {
        case architecture, os
        case osVersion = "os.version"
        case variant
    }
}

/// A line of `GET /images/search`.
package struct ImageSearchResult: WireObject {
    @Always package var stars: Int = 0
    @Always package var isOfficial: Bool = false
    @Always package var name: String = ""
    @Always package var isAutomated: Bool = false
    @Always package var description: String = ""

    package init() {}

    enum CodingKeys: String, CodingKey {
        case stars = "star_count"
        case isOfficial = "is_official"
        case name
        case isAutomated = "is_automated"
        case description
    }
}

/// What a push has put where, as the last line of its progress says it.
package struct PushResult: WireObject {
    @Always package var tag: String = ""
    @Always package var digest: String = ""
    @Always package var size: Int64 = 0

    package init() {}

    enum CodingKeys: String, CodingKey {
        case tag = "Tag"
        case digest = "Digest"
        case size = "Size"
    }
}
