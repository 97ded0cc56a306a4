/// A mount in the long form (`--mount`).
package struct Mount: WireObject {
    /// `bind`, `volume`, `tmpfs`, `image`, …
    @Always package var type: String = ""
    /// A path, a volume's name or an image.
    @OmittedIfEmpty package var source: String = ""
    /// The path in the container.
    @OmittedIfEmpty package var target: String = ""
    /// Whether it is read-only.
    @OmittedIfEmpty package var readOnly: Bool = false
    /// Only meaningful on Docker Desktop.
    @OmittedIfEmpty package var consistency: String = ""
    /// Options of a bind mount.
    @OmittedIfEmpty package var bindOptions: BindOptions? = nil
    /// Options of a volume.
    @OmittedIfEmpty package var volumeOptions: VolumeOptions? = nil
    /// Options of an image mount.
    @OmittedIfEmpty package var imageOptions: ImageMountOptions? = nil
    /// Options of a tmpfs.
    @OmittedIfEmpty package var tmpfsOptions: TmpfsOptions? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type"
        case source = "Source"
        case target = "Target"
        case readOnly = "ReadOnly"
        case consistency = "Consistency"
        case bindOptions = "BindOptions"
        case volumeOptions = "VolumeOptions"
        case imageOptions = "ImageOptions"
        case tmpfsOptions = "TmpfsOptions"
    }
}

/// Options of a bind mount.
package struct BindOptions: WireObject {
    /// `rprivate`, `rshared`, …
    @OmittedIfEmpty package var propagation: String = ""
    /// Whether mounts below the source stay behind.
    @OmittedIfEmpty package var nonRecursive: Bool = false
    /// Whether a missing source is made.
    @OmittedIfEmpty package var createMountpoint: Bool = false
    /// Whether read-only means only the top mount.
    @OmittedIfEmpty package var readOnlyNonRecursive: Bool = false
    /// Whether failing to make it recursively read-only is an error.
    @OmittedIfEmpty package var readOnlyForceRecursive: Bool = false

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case propagation = "Propagation"
        case nonRecursive = "NonRecursive"
        case createMountpoint = "CreateMountpoint"
        case readOnlyNonRecursive = "ReadOnlyNonRecursive"
        case readOnlyForceRecursive = "ReadOnlyForceRecursive"
    }
}

/// Options of a volume mount.
package struct VolumeOptions: WireObject {
    /// Whether the image's content is not copied into a new volume.
    @OmittedIfEmpty package var noCopy: Bool = false
    /// Labels of a new volume.
    @OmittedIfEmpty package var labels: [String: String] = [:]
    /// The part of the volume to mount.
    @OmittedIfEmpty package var subpath: String = ""
    /// The driver of a new volume.
    @OmittedIfEmpty package var driverConfig: VolumeDriverConfig? = nil

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case noCopy = "NoCopy"
        case labels = "Labels"
        case subpath = "Subpath"
        case driverConfig = "DriverConfig"
    }
}

/// The driver of a new volume.
package struct VolumeDriverConfig: WireObject {
    /// The driver's name.
    @OmittedIfEmpty package var name: String = ""
    /// The driver's options.
    @OmittedIfEmpty package var options: [String: String] = [:]

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case options = "Options"
    }
}

/// Options of an image mount.
package struct ImageMountOptions: WireObject {
    /// The part of the image to mount.
    @OmittedIfEmpty package var subpath: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case subpath = "Subpath"
    }
}

/// Options of a tmpfs.
package struct TmpfsOptions: WireObject {
    /// Its size in bytes; 0 is unlimited.
    @OmittedIfEmpty package var sizeBytes: Int64 = 0
    /// Its file mode.
    @OmittedIfEmpty package var mode: Int = 0
    /// Further mount options: `[key]` or `[key, value]`.
    @OmittedIfEmpty package var options: [[String]] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case sizeBytes = "SizeBytes"
        case mode = "Mode"
        case options = "Options"
    }
}

/// A mount of an existing container.
package struct MountPoint: WireObject {
    /// `bind`, `volume`, `tmpfs`, …
    @OmittedIfEmpty package var type: String = ""
    /// The volume's name.
    @OmittedIfEmpty package var name: String = ""
    /// The path on the host.
    @Always package var source: String = ""
    /// The path in the container.
    @Always package var destination: String = ""
    /// The volume's driver.
    @OmittedIfEmpty package var driver: String = ""
    /// The options as the user wrote them.
    @Always package var mode: String = ""
    /// Whether it can be written.
    @Always package var readWrite: Bool = false
    /// The mount's propagation.
    @Always package var propagation: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type"
        case name = "Name"
        case source = "Source"
        case destination = "Destination"
        case driver = "Driver"
        case mode = "Mode"
        case readWrite = "RW"
        case propagation = "Propagation"
    }
}
