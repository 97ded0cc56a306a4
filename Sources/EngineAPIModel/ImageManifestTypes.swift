/// A manifest of an image, in the list and the inspection of images.
package struct ImageManifestSummary: WireObject {
    /// The manifest's digest.
    @Always package var id: String = ""
    /// The manifest's descriptor.
    @Always package var descriptor: ImageDescriptor = ImageDescriptor()
    /// Whether all that it names is here.
    @Always package var available: Bool = false
    /// How much room it takes.
    @Always package var size: ImageManifestSize = ImageManifestSize()
    /// `image`, `attestation` or `unknown`.
    @Always package var kind: String = ""
    /// More about it if it is an image.
    @OmittedIfEmpty package var imageData: ImageManifestData? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case descriptor = "Descriptor"
        case available = "Available"
        case size = "Size"
        case kind = "Kind"
        case imageData = "ImageData"
    }
}

/// How much room a manifest and what it names take.
package struct ImageManifestSize: WireObject {
    /// Bytes of manifest, configuration and layers as they are stored.
    @Always package var content: Int64 = 0
    /// The same and the unpacked layers.
    @Always package var total: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case content = "Content"
        case total = "Total"
    }
}

/// What a manifest of an image says.
package struct ImageManifestData: WireObject {
    /// What the image is for.
    @Always package var platform: PlatformDescription = PlatformDescription()
    /// How much room the unpacked layers take.
    @Always package var size: ImageUnpackedSize = ImageUnpackedSize()
    /// Ids of the containers made of it.
    @Always package var containers: [String] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case platform = "Platform"
        case size = "Size"
        case containers = "Containers"
    }
}

/// How much room unpacked layers take.
package struct ImageUnpackedSize: WireObject {
    /// In bytes.
    @Always package var unpacked: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case unpacked = "Unpacked"
    }
}
