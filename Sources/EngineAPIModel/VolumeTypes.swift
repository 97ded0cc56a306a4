import JSON

/// A volume: `GET /volumes/{name}`, and a row of `GET /volumes`.
package struct VolumeInspection: WireObject {
    /// When it was made, as RFC 3339 without a fraction.
    @OmittedIfEmpty package var createdAt: String = ""
    /// `local`, or the name of a plugin.
    @Always package var driver: String = ""
    /// Labels.
    @Always package var labels: [String: String]? = nil
    /// Where its files are on the daemon's machine.
    @Always package var mountpoint: String = ""
    /// Its name.
    @Always package var name: String = ""
    /// The driver's options.
    @Always package var options: [String: String]? = nil
    /// `local` or `global`.
    @Always package var scope: String = ""
    /// What a plugin wants to be shown.
    @OmittedIfEmpty package var status: VolumeStatus? = nil
    /// What it takes; only in `GET /system/df`.
    @OmittedIfEmpty package var usageData: VolumeUsageData? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case createdAt = "CreatedAt"
        case driver = "Driver"
        case labels = "Labels"
        case mountpoint = "Mountpoint"
        case name = "Name"
        case options = "Options"
        case scope = "Scope"
        case status = "Status"
        case usageData = "UsageData"
    }
}

/// What a plugin shows of a volume: any members.
package struct VolumeStatus: WireValue {
    /// A JSON object.
    package var value: JSONValue

    /// A status that is this object.
    package init(_ value: JSONValue) { self.value = value }

    package init(from decoder: any Decoder) throws { value = try JSONValue(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }

    /// An object of which no more is known.
    package static var wireShape: WireShape { .object(EmptyObject.self) }

    /// Nothing to show.
    package static var emptyValue: VolumeStatus { VolumeStatus([:]) }
    /// Whether there is nothing to show.
    package var isEmptyValue: Bool { value.object?.isEmpty ?? true }
}

/// What a volume takes.
package struct VolumeUsageData: WireObject {
    /// How many containers name it; -1 if that is not known.
    @Always package var refCount: Int64 = 0
    /// Bytes; -1 if that is not known.
    @Always package var size: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case refCount = "RefCount"
        case size = "Size"
    }
}

/// `GET /volumes`.
package struct VolumeList: WireObject {
    /// The volumes.
    @Always package var volumes: [VolumeInspection]? = nil
    /// What drivers said that could not be asked.
    @Always package var warnings: [String]? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case volumes = "Volumes"
        case warnings = "Warnings"
    }
}

/// `POST /volumes/create`.
package struct VolumeCreateRequest: WireObject {
    /// A volume of Swarm's, which is another kind of object.
    @OmittedIfEmpty package var clusterVolumeSpec: EmptyObject? = nil
    /// Empty for `local`.
    @OmittedIfEmpty package var driver: String = ""
    /// The driver's options.
    @OmittedIfEmpty package var driverOpts: [String: String]? = nil
    /// Labels.
    @OmittedIfEmpty package var labels: [String: String]? = nil
    /// Empty for one that nobody gives a name.
    @OmittedIfEmpty package var name: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case clusterVolumeSpec = "ClusterVolumeSpec"
        case driver = "Driver"
        case driverOpts = "DriverOpts"
        case labels = "Labels"
        case name = "Name"
    }
}

/// `POST /volumes/prune`.
package struct VolumesPruneReport: WireObject {
    /// Names of the volumes that were removed.
    @Always package var volumesDeleted: [String]? = nil
    /// Bytes.
    @Always package var spaceReclaimed: Int64 = 0

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case volumesDeleted = "VolumesDeleted"
        case spaceReclaimed = "SpaceReclaimed"
    }
}
