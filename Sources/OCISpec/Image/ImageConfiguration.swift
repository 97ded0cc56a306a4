import JSON

/// An image's configuration (image-spec, config.md) with the fields Docker adds to it. Its digest is the image's id.
package struct ImageConfiguration: Hashable, Sendable, Codable {
    /// The processor architecture, by Go's names.
    package var architecture: String
    /// The operating system, by Go's names.
    package var os: String
    /// The variant of the architecture, such as `v8`.
    package var variant: String?
    /// The version of the operating system; Windows images have one.
    package var osVersion: String?
    /// Features that the operating system must have.
    package var osFeatures: [String]?
    /// When the image was made.
    package var created: Timestamp?
    /// Who made the image.
    package var author: String?
    /// Docker's: what `docker import -m` and `docker commit -m` said.
    package var comment: String?
    /// Docker's: the version of the program that made the image.
    package var dockerVersion: String?
    /// How a container of this image is run.
    package var config: ImageProcess?
    /// The layers.
    package var rootfs: RootFileSystem
    /// How the layers were made, lowest first.
    package var history: [History]?

    /// The layers an image's root file system is made of.
    package struct RootFileSystem: Hashable, Sendable, Codable {
        /// Always `layers`.
        package var type: String
        /// Digests of the uncompressed layers, lowest first.
        package var diffIDs: [Digest]

        enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }

        /// The root file system of these layers, lowest first.
        package init(diffIDs: [Digest]) {
            type = "layers"
            self.diffIDs = diffIDs
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decodeIfPresent(String.self, forKey: .type) ?? "layers"
            diffIDs = try container.decodeIfPresent([Digest].self, forKey: .diffIDs) ?? []
        }
    }

    /// What made one layer, or changed the configuration without making one.
    package struct History: Hashable, Sendable, Codable {
        /// When the step was done.
        package var created: Timestamp?
        /// Who did it.
        package var author: String?
        /// The command of the step.
        package var createdBy: String?
        /// A note of the author.
        package var comment: String?
        /// Whether the step made no layer.
        package var emptyLayer: Bool?

        enum CodingKeys: String, CodingKey {
            case created, author
            case createdBy = "created_by"
            case comment
            case emptyLayer = "empty_layer"
        }

        /// A step.
        package init(
            created: Timestamp? = nil, author: String? = nil, createdBy: String? = nil, comment: String? = nil,
            emptyLayer: Bool? = nil
        ) {
            self.created = created
            self.author = author
            self.createdBy = createdBy
            self.comment = comment
            self.emptyLayer = emptyLayer
        }
    }

    enum CodingKeys: String, CodingKey {
        case architecture, os, variant
        case osVersion = "os.version"
        case osFeatures = "os.features"
        case created, author, comment
        case dockerVersion = "docker_version"
        case config, rootfs, history
    }

    /// A configuration.
    package init(
        platform: Platform, created: Timestamp? = nil, author: String? = nil, comment: String? = nil,
        config: ImageProcess? = nil, diffIDs: [Digest], history: [History]? = nil
    ) {
        architecture = platform.architecture
        os = platform.os
        variant = platform.variant
        osVersion = platform.osVersion
        osFeatures = platform.osFeatures
        self.created = created
        self.author = author
        self.comment = comment
        self.config = config
        rootfs = RootFileSystem(diffIDs: diffIDs)
        self.history = history
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        // An image's texts become arguments of system calls, lines of files and labels that programs look for.
        if let path = try decoder.singleValueContainer().decode(JSONValue.self).pathOfNull {
            throw JSONError.value(path: path, reason: "the text contains a NUL character")
        }
        // Images of the first years have neither field; they are for the platform there was.
        architecture = try container.decodeIfPresent(String.self, forKey: .architecture) ?? "amd64"
        os = try container.decodeIfPresent(String.self, forKey: .os) ?? "linux"
        variant = try container.decodeIfPresent(String.self, forKey: .variant)
        osVersion = try container.decodeIfPresent(String.self, forKey: .osVersion)
        osFeatures = try container.decodeIfPresent([String].self, forKey: .osFeatures)
        created = try container.decodeIfPresent(Timestamp.self, forKey: .created)
        author = try container.decodeIfPresent(String.self, forKey: .author)
        comment = try container.decodeIfPresent(String.self, forKey: .comment)
        dockerVersion = try container.decodeIfPresent(String.self, forKey: .dockerVersion)
        config = try container.decodeIfPresent(ImageProcess.self, forKey: .config)
        rootfs = try container.decode(RootFileSystem.self, forKey: .rootfs)
        history = try container.decodeIfPresent([History].self, forKey: .history)
    }

    /// The platform the image is for.
    package var platform: Platform {
        Platform(os: os, architecture: architecture, variant: variant, osVersion: osVersion, osFeatures: osFeatures)
    }
}
