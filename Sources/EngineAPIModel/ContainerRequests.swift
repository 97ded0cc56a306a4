/// The networks of a new container.
package struct NetworkingConfig: WireObject {
    /// Endpoints by network name.
    @Always package var endpointsConfig: [String: EndpointSettings]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case endpointsConfig = "EndpointsConfig"
    }
}

/// The answer to the creation of a container.
package struct ContainerCreateResponse: WireObject {
    /// The container's id.
    @Always package var id: String = ""
    /// What the user should know.
    @Always package var warnings: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case warnings = "Warnings"
    }
}

/// The end of a container.
package struct ContainerWaitResponse: WireObject {
    /// Why waiting failed.
    @OmittedIfEmpty package var error: ContainerWaitError? = nil
    /// The exit status.
    @Always package var statusCode: Int = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case error = "Error"
        case statusCode = "StatusCode"
    }
}

/// Why waiting failed.
package struct ContainerWaitError: WireObject {
    /// In words.
    @Always package var message: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case message = "Message"
    }
}

/// The body of every response with a status of 400 and above.
package struct ErrorResponse: WireObject {
    /// What went wrong, for people; some clients match on it.
    @Always package var message: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case message
    }
}

/// The id of something that was made.
package struct IDResponse: WireObject {
    /// The id.
    @Always package var id: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
    }
}

/// A request for a new container: `POST /containers/create`. On the wire the configuration's fields stand beside
/// `HostConfig` and `NetworkingConfig`.
package struct ContainerCreateRequest: WireObject {
    /// What runs in the container.
    package var config: ContainerConfig
    /// How it meets its host.
    package var hostConfig: HostConfig
    /// Its networks.
    package var networkingConfig: NetworkingConfig

    /// A request for nothing in particular.
    package init() { self.init(config: ContainerConfig()) }

    /// A request.
    package init(
        config: ContainerConfig, hostConfig: HostConfig = HostConfig(),
        networkingConfig: NetworkingConfig = NetworkingConfig()
    ) {
        self.config = config
        self.hostConfig = hostConfig
        self.networkingConfig = networkingConfig
    }

    package init(from decoder: any Decoder) throws {
        config = try ContainerConfig(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        hostConfig = try container.decodeIfPresent(HostConfig.self, forKey: .hostConfig) ?? HostConfig()
        networkingConfig =
            try container.decodeIfPresent(NetworkingConfig.self, forKey: .networkingConfig) ?? NetworkingConfig()
    }

    package func encode(to encoder: any Encoder) throws {
        try config.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(hostConfig, forKey: .hostConfig)
        try container.encode(networkingConfig, forKey: .networkingConfig)
    }

    enum CodingKeys: String, CodingKey {
        case hostConfig = "HostConfig"
        case networkingConfig = "NetworkingConfig"
    }
}
