import SystemPackage

/// The options of the driver `devicemapper`, by Docker's names.
struct DeviceMapperOptions: Sendable {
    /// What is written to a new device, once: all others are snapshots of it.
    enum FileSystem: String, Sendable {
        case ext4
        case xfs

        /// The program that makes it, and its arguments before the device. The tables of ext4 need not be written: what
        /// was never written to a thin device is zero.
        var command: [String] {
            switch self {
            case .ext4:
                ["mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1"]
            case .xfs: ["mkfs.xfs", "-q", "-f", "-K"]
            }
        }

        /// Options to mount a device with that may be written to.
        var writable: [String] {
            switch self {
            case .ext4: ["noinit_itable"]
            // All have the identifier of the first.
            case .xfs: ["nouuid"]
            }
        }

        /// Options to look at a device with that nothing is written to, not even its journal.
        var readOnly: [String] {
            switch self {
            case .ext4: ["ro", "noload"]
            case .xfs: ["ro", "norecovery", "nouuid"]
            }
        }
    }

    /// The size that every file system has, in bytes; nothing is taken up before it is written.
    let baseSize: Int64
    /// The size of the file with the contents of all devices, which begins as one hole.
    let dataSize: Int64
    /// The size of the file that says which blocks belong to which device.
    let metadataSize: Int64
    /// Block devices in place of the two files, both or neither.
    let devices: (data: FilePath, metadata: FilePath)?
    let fileSystem: FileSystem
    /// New snapshots are refused when less than so many percent of the pool are free.
    let minimumFree: Int64

    init(_ options: inout StorageOptions) throws(SnapshotError) {
        baseSize = try options.bytes("dm.basesize") ?? 10 << 30
        dataSize = try options.bytes("dm.loopdatasize") ?? 100 << 30
        metadataSize = try options.bytes("dm.loopmetadatasize") ?? 2 << 30
        let name = options.value("dm.fs") ?? "ext4"
        guard let known = FileSystem(rawValue: name) else {
            throw .option("invalid storage option dm.fs=\(name): must be ext4 or xfs")
        }
        fileSystem = known
        switch (options.value("dm.datadev"), options.value("dm.metadatadev")) {
        case (nil, nil): devices = nil
        case (let data?, let metadata?): devices = (FilePath(data), FilePath(metadata))
        default: throw .option("the storage options dm.datadev and dm.metadatadev need each other")
        }
        let text = options.value("dm.min_free_space") ?? "10%"
        guard text.hasSuffix("%"), let percent = Int64(text.dropLast()), (0...99).contains(percent) else {
            throw .option("invalid storage option dm.min_free_space=\(text): must be a percentage such as 10%")
        }
        minimumFree = percent
    }
}
