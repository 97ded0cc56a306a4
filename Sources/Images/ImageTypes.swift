import OCISpec
import SystemPackage

/// An image that is here: what a container is made from.
package struct ImageRecord: Hashable, Sendable {
    /// The digest of the configuration; Docker's image id.
    package let id: Digest
    /// The digest of the manifest under which the image lies in the content store.
    package let manifest: Digest
    /// The manifest's descriptor; `nil` where the manifest cannot be read.
    package let manifestDescriptor: Descriptor?
    /// Empty where the image is damaged.
    package let configuration: ImageConfiguration
    /// Which of the image's documents cannot be read, in words; `nil` if all can.
    package let damage: String?
    /// The bytes of all unpacked layers together.
    package let size: Int64
    /// When the image came to this machine.
    package let storedAt: Timestamp
    /// Its tags and digests (`debian:bookworm`), in alphabetical order; none: the image is dangling.
    package let references: [ImageReference]
    /// When it last got a tag; `nil` if it never had one.
    package let lastTaggedAt: Timestamp?
    /// The image of the container that it was committed of.
    package let parent: Digest?

    /// A record of these parts; see the properties.
    package init(
        id: Digest, manifest: Digest, manifestDescriptor: Descriptor?, configuration: ImageConfiguration,
        damage: String?, size: Int64, storedAt: Timestamp, references: [ImageReference], lastTaggedAt: Timestamp?,
        parent: Digest? = nil
    ) {
        self.id = id
        self.manifest = manifest
        self.manifestDescriptor = manifestDescriptor
        self.configuration = configuration
        self.damage = damage
        self.size = size
        self.storedAt = storedAt
        self.references = references
        self.lastTaggedAt = lastTaggedAt
        self.parent = parent
    }

    /// The name of the snapshot that containers are stacked on; `nil` for an image without layers.
    package var topSnapshot: String? { ChainID.chain(of: configuration.rootfs.diffIDs).last?.description }

    /// `RepoTags` of the API: the references with a tag, as people write them.
    package var repositoryTags: [String] { references.filter { $0.tag != nil }.map(\.familiar) }

    /// `RepoDigests` of the API.
    package var repositoryDigests: [String] { references.filter { $0.digest != nil }.map(\.familiar) }

    /// What people call it: a name, or else the id's beginning.
    package var shownName: String { references.first?.familiar ?? id.short }

    /// Whether no tag names the image.
    package var isDangling: Bool { references.isEmpty }
}

/// What `GET /images/{name}/json` says beyond the record.
package struct ImageDetails: Hashable, Sendable {
    /// The image.
    package let record: ImageRecord
    /// `overlay`, `vfs`.
    package let driver: String
    /// `GraphDriver.Data`: `LowerDir`, `UpperDir`, … (overlay only).
    package let driverData: [String: String]

    /// Details of an image whose layers a driver keeps.
    package init(record: ImageRecord, driver: String, driverData: [String: String]) {
        self.record = record
        self.driver = driver
        self.driverData = driverData
    }
}

/// One line of `docker images`.
package struct ImageSummary: Hashable, Sendable {
    /// The image.
    package let record: ImageRecord
    /// Bytes of layers that other images have as well; computed only when asked for, otherwise -1.
    package let sharedSize: Int64

    /// A line for an image; `sharedSize` is -1 where it was not computed.
    package init(record: ImageRecord, sharedSize: Int64) {
        self.record = record
        self.sharedSize = sharedSize
    }
}

/// One line of `docker history`, newest first.
package struct ImageHistoryEntry: Hashable, Sendable {
    /// The image's id for the first line; `<missing>` for the others, as Docker says for layers without an image.
    package let id: String
    /// When the step was done.
    package let created: Timestamp?
    /// The command of the step.
    package let createdBy: String
    /// A note of the author.
    package let comment: String
    /// Tags of the image in the first line.
    package let tags: [String]
    /// Bytes the layer takes unpacked; 0 for a line without a layer.
    package let size: Int64
}

/// A step of an import or a load, in the form the API streams it.
package struct ImageProgress: Hashable, Sendable {
    /// What it is about: a layer's short digest; `nil` for the whole.
    package let id: String?
    /// `Loading layer`, `Importing`.
    package let status: String
    /// Bytes done, and in all where known.
    package let current: Int64?
    /// The bytes in all; `nil` if unknown.
    package let total: Int64?
    /// What a push has put where; `status` is empty then.
    package var pushed: PushedTag?
}

/// What an archive brought.
package struct LoadedImage: Hashable, Sendable {
    package let id: Digest
    /// The names it was given; none: Docker then says `Loaded image ID: …`.
    package let references: [ImageReference]
    /// What machine it is for.
    package let platform: Platform
}

/// What `docker rmi` did, in order.
package enum ImageDeletion: Hashable, Sendable {
    /// A familiar reference.
    case untagged(String)
    /// An image id, or a layer's.
    case deleted(String)
}

/// A container that was made from an image.
package struct ImageUser: Hashable, Sendable {
    /// The container.
    package let containerID: String
    /// Whether the container runs.
    package let isRunning: Bool

    /// A use by a container.
    package init(containerID: String, isRunning: Bool) {
        self.containerID = containerID
        self.isRunning = isRunning
    }
}

/// Bytes and counts for `docker system df` and `docker info`.
package struct ImagesUsage: Hashable, Sendable {
    /// How many images there are.
    package let imageCount: Int
    /// All unpacked layers, each once.
    package let layersSize: Int64
}
