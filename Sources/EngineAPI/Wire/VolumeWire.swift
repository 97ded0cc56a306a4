import Engine
import EngineAPIModel
import JSON
import OCISpec
import Text
import Volumes

extension VolumeRequest {
    /// What a request for a volume asks for.
    init(_ wire: VolumeCreateRequest) {
        self.init(name: wire.name, driver: wire.driver, options: wire.driverOpts, labels: wire.labels)
    }
}

extension VolumeInspection {
    /// A volume as its driver sees it.
    init(_ details: VolumeDetails) {
        self.init()
        let volume = details.volume
        name = volume.name
        driver = volume.driver
        // Go's zero time where nobody knows.
        createdAt = Timestamp(seconds: (volume.createdAt ?? .zero).seconds).description
        labels = volume.labels
        options = volume.options
        mountpoint = details.mountpoint
        scope = details.scope.rawValue
        // A driver has written it as JSON.
        status = details.status.flatMap { try? JSON.parse($0) }.map { VolumeStatus($0) }
    }

    /// A volume with what it takes.
    init(_ usage: VolumeUsage) {
        self.init(usage.details)
        var data = VolumeUsageData()
        data.refCount = Int64(usage.references)
        data.size = usage.size ?? -1
        usageData = data
    }
}

extension VolumeFilter {
    private static let known: Set = ["dangling", "driver", "label", "name"]

    /// Reads the `filters` of a list of volumes.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words for an unknown filter or a wrong value.
    package init(wire filters: FilterArguments) throws {
        try filters.validate(Self.known)
        self.init()
        names = filters["name"].map { NamePattern($0) }
        drivers = filters["driver"]
        labels = filters["label"].map { LabelFilter(wire: $0) }
        isDangling = try filters.truth("dangling")
    }
}

extension VolumePruneFilter {
    private static let known: Set = ["all", "label", "label!"]

    /// Reads the `filters` of a prune. Before API 1.42 volumes with names were removed as well.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words for an unknown filter or a wrong value.
    package init(wire filters: FilterArguments, version: APIVersion) throws {
        let all = Set(filters["all"] + (version < .v(42) ? ["true"] : [])).sorted()
        guard all.count <= 1 else {
            throw APIError.invalid(
                "invalid filter 'all=[\(all.joined(separator: " "))]': only one value is expected")
        }
        self.init()
        if let text = all.first {
            guard let isAll = GoBoolean.parse(text) else {
                throw APIError.invalid(
                    "invalid filter 'all': strconv.ParseBool: parsing \"\(text)\": invalid syntax")
            }
            includesNamed = isAll
        }
        try filters.validate(Self.known)
        labels = filters["label"].map { LabelFilter(wire: $0) }
        unwantedLabels = filters["label!"].map { LabelFilter(wire: $0) }
    }
}
