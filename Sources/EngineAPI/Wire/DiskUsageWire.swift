import EngineAPIModel

extension ImageDiskUsage {
    /// The sum of images, whose containers are counted and whose shared bytes are known.
    init(_ images: [ImageSummary], layersSize: Int64, isVerbose: Bool) {
        self.init()
        totalCount = Int64(images.count)
        activeCount = Int64(images.count { $0.containers > 0 })
        totalSize = layersSize
        reclaimable = images.filter { $0.containers == 0 }.reduce(0) { $0 + $1.size - max($1.sharedSize, 0) }
        if isVerbose { items = images }
    }
}

extension ContainerDiskUsage {
    /// The sum of containers, whose own files are measured.
    init(_ containers: [ContainerSummary], isVerbose: Bool) {
        self.init()
        let idle = containers.filter { !["running", "paused", "restarting"].contains($0.state) }
        totalCount = Int64(containers.count)
        activeCount = Int64(containers.count - idle.count)
        totalSize = containers.reduce(0) { $0 + $1.sizeRw }
        reclaimable = idle.reduce(0) { $0 + $1.sizeRw }
        if isVerbose {
            // The list of containers has the descriptor of each image, this one never had.
            items = containers.map { container in
                var item = container
                item.imageManifestDescriptor = nil
                return item
            }
        }
    }
}

extension VolumeDiskUsage {
    /// The sum of volumes, whose files are measured; a size that is not known is negative.
    init(_ volumes: [VolumeInspection], isVerbose: Bool) {
        self.init()
        let idle = volumes.filter { ($0.usageData?.refCount ?? 0) == 0 }
        totalCount = Int64(volumes.count)
        activeCount = Int64(volumes.count - idle.count)
        totalSize = volumes.reduce(0) { $0 + max($1.usageData?.size ?? 0, 0) }
        reclaimable = idle.reduce(0) { $0 + max($1.usageData?.size ?? 0, 0) }
        if isVerbose { items = volumes }
    }
}
