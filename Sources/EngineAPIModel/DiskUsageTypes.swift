/// Disk usage: `GET /system/df`. Kinds of objects that the request left out are not there.
///
/// Until API 1.51 it has the objects themselves, since 1.52 a sum for each kind; clients that ask for 1.52 without
/// `verbose` get both, because many ask for no version at all.
package struct DiskUsage: WireObject {
    /// Bytes of all layers, each once.
    @OmittedIfEmpty package var layersSize: Int64 = 0
    /// With the bytes they share and the number of their containers.
    @OmittedIfEmpty package var images: [ImageSummary]? = nil
    /// With their sizes.
    @OmittedIfEmpty package var containers: [ContainerSummary]? = nil
    /// With their sizes.
    @OmittedIfEmpty package var volumes: [VolumeInspection]? = nil
    /// There is none yet.
    @OmittedIfEmpty package var buildCache: [EmptyObject]? = nil
    /// For clients older than API 1.42.
    @OmittedIfEmpty package var builderSize: Int64 = 0
    /// The sum of the images.
    @OmittedIfEmpty package var imageUsage: ImageDiskUsage? = nil
    /// The sum of the containers.
    @OmittedIfEmpty package var containerUsage: ContainerDiskUsage? = nil
    /// The sum of the volumes.
    @OmittedIfEmpty package var volumeUsage: VolumeDiskUsage? = nil
    /// The sum of what builds keep.
    @OmittedIfEmpty package var buildCacheUsage: BuildCacheDiskUsage? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case layersSize = "LayersSize"
        case images = "Images"
        case containers = "Containers"
        case volumes = "Volumes"
        case buildCache = "BuildCache"
        case builderSize = "BuilderSize"
        case imageUsage = "ImageUsage"
        case containerUsage = "ContainerUsage"
        case volumeUsage = "VolumeUsage"
        case buildCacheUsage = "BuildCacheUsage"
    }
}

/// How much room objects of one kind take.
package struct ObjectDiskUsage<Item: DiskUsageItem>: WireObject {
    /// How many are in use: images with containers; containers that run, are paused or about to be restarted; volumes
    /// that containers name.
    @OmittedIfEmpty package var activeCount: Int64 = 0
    /// How many there are.
    @OmittedIfEmpty package var totalCount: Int64 = 0
    /// Bytes that removing what is not used would free.
    @OmittedIfEmpty package var reclaimable: Int64 = 0
    /// Bytes of all.
    @OmittedIfEmpty package var totalSize: Int64 = 0
    /// Each of them, if asked for.
    @OmittedIfEmpty package var items: [Item] = []

    /// An object whose fields have their defaults.
    package init() {}

    /// What descriptions of the API call it.
    package static var wireName: String { Item.diskUsageName }

    enum CodingKeys: String, CodingKey {
        case activeCount = "ActiveCount"
        case totalCount = "TotalCount"
        case reclaimable = "Reclaimable"
        case totalSize = "TotalSize"
        case items = "Items"
    }
}

/// What takes room on the disk.
package protocol DiskUsageItem: WireObject {
    /// What descriptions of the API call the sum of such objects.
    static var diskUsageName: String { get }
}

/// How much room images take.
package typealias ImageDiskUsage = ObjectDiskUsage<ImageSummary>
/// How much room containers' own files take.
package typealias ContainerDiskUsage = ObjectDiskUsage<ContainerSummary>
/// How much room volumes take.
package typealias VolumeDiskUsage = ObjectDiskUsage<VolumeInspection>
/// How much room what builds keep takes: there are no builds.
package typealias BuildCacheDiskUsage = ObjectDiskUsage<BuildCacheEntry>

extension ImageSummary: DiskUsageItem {
    package static var diskUsageName: String { "ImageDiskUsage" }
}

extension ContainerSummary: DiskUsageItem {
    package static var diskUsageName: String { "ContainerDiskUsage" }
}

extension VolumeInspection: DiskUsageItem {
    package static var diskUsageName: String { "VolumeDiskUsage" }
}

/// What a build keeps for the next one: there is none yet.
package struct BuildCacheEntry: DiskUsageItem {
    package static var diskUsageName: String { "BuildCacheDiskUsage" }

    /// An object whose fields have their defaults.
    package init() {}
}
