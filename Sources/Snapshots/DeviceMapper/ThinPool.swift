import Glibc
import LinuxKernel
import SystemPackage

/// A pool of blocks that thin devices take theirs from (the kernel's
/// Documentation/admin-guide/device-mapper/thin-provisioning.rst), and the devices in it. Device 0 has an empty file
/// system, of which all others are descendants.
///
/// The pool is two loop devices on files, or two block devices. It is named after the directory it belongs to, so that
/// a daemon finds the pool that an earlier one made.
struct ThinPool: Sendable {
    let options: DeviceMapperOptions
    let directory: FilePath
    /// What the names of all devices begin with.
    private let prefix: String
    private let mapper: DeviceMapper
    /// The size of each thin device, in sectors.
    private var sectors: UInt64

    /// The size of a block in sectors: 64 KiB.
    private static let blockSectors: UInt64 = 128
    private static let sectorSize: Int64 = 512
    /// Names in the directory that are not snapshots'.
    static let names: Set<String> = ["data", "metadata", "base"]

    var name: String { "\(prefix)-pool" }
    var dataFile: FilePath { directory.appending("data") }
    var metadataFile: FilePath { directory.appending("metadata") }
    private var baseFile: FilePath { directory.appending("base") }
    var baseSize: Int64 { Int64(sectors) * Self.sectorSize }

    /// Finds or makes the pool of `directory`, which exists.
    init(directory: FilePath, options: DeviceMapperOptions) throws(SnapshotError) {
        self.directory = directory
        self.options = options
        sectors = UInt64(options.baseSize / Self.sectorSize)
        do throws(Errno) {
            let status = try FileStatus.of(directory)
            prefix = "masu-\(status.device)-\(status.inode)"
            mapper = try DeviceMapper()
        } catch {
            throw .unavailable(
                driver: "devicemapper",
                "this kernel has no device mapper (/dev/mapper/control: \(error)); load the module dm_mod, or use "
                    + "overlay2"
            )
        }
        do throws(SnapshotError) {
            try start()
            try makeBase()
        } catch {
            close()
            throw error
        }
    }

    // MARK: Pool

    private func start() throws(SnapshotError) {
        do throws(Errno) {
            if try mapper.device(name) != nil { return }
        } catch {
            throw failure("look for", error)
        }
        let data: LoopDevice
        let metadata: LoopDevice
        let size: Int64
        do throws(Errno) {
            if let devices = options.devices {
                data = try LoopDevice(open: devices.data)
                metadata = try LoopDevice(open: devices.metadata)
            } else {
                try Self.makeFile(dataFile, options.dataSize)
                try Self.makeFile(metadataFile, options.metadataSize)
                data = try LoopDevice.attach(dataFile, readOnly: false)
                metadata = try LoopDevice.attach(metadataFile, readOnly: false)
            }
            size = Int64(lseek(data.descriptor.rawValue, 0, SEEK_END))
        } catch {
            throw .unavailable(
                driver: "devicemapper",
                "cannot open the pool's devices in \(directory): \(error). Make sure that there are loop devices, or "
                    + "give dm.datadev and dm.metadatadev"
            )
        }
        // The pool has them from now on; loop devices go with it.
        defer {
            data.descriptor.discard()
            metadata.descriptor.discard()
        }
        let length = UInt64(size / Self.sectorSize) / Self.blockSectors * Self.blockSectors
        let table = DeviceMapper.Target(
            type: "thin-pool", sectors: length,
            parameters: "\(metadata.path) \(data.path) \(Self.blockSectors) 32768 1 skip_block_zeroing")
        do throws(Errno) {
            _ = try mapper.create(name, table)
        } catch .invalidArgument {
            throw .unavailable(
                driver: "devicemapper",
                "this kernel has no thin provisioning, or does not know the pool in \(directory); load the module "
                    + "dm_thin_pool, or use overlay2"
            )
        } catch {
            throw failure("make", error)
        }
    }

    /// A file of at least this size; what is new in it is a hole.
    private static func makeFile(_ path: FilePath, _ size: Int64) throws(Errno) {
        let file = try Files.open(path, [.readWrite, .create], mode: 0o600)
        defer { file.discard() }
        guard try FileStatus.of(file).size < size else { return }
        guard ftruncate(file.rawValue, off_t(size)) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Makes device 0 with an empty file system, if that has not been done.
    private mutating func makeBase() throws(SnapshotError) {
        if let known = try knownBase() {
            sectors = known
            return
        }
        if try isUnfinished() {
            // What a crash left of an earlier attempt.
            try delete(0)
        } else {
            // Nothing here says that the pool is this directory's: it may be another data root's, or another engine's.
            guard try usage().data.used == 0 else { throw foreign() }
            try writeBase(Self.unfinished)
        }
        do throws(Errno) {
            try mapper.send("create_thin 0", to: name)
        } catch .fileExists {
            throw foreign()
        } catch {
            throw failure("make a device in", error)
        }
        let device = try activate(0)
        try FileSystemProgram.run(options.fileSystem.command + [device.string], driver: "devicemapper")
        do throws(Errno) {
            let mount = try self.mount(device, isReadOnly: false)
            defer { mount.discard() }
            // It would be in every image.
            try mount.remove("lost+found", directory: true)
        } catch  where error == .noSuchFileOrDirectory {
            // xfs has none.
        } catch {
            throw .system("mount", device, error)
        }
        try deactivate(0)
        try writeBase("\(sectors) \(options.fileSystem.rawValue)")
    }

    /// What the file says while device 0 is being made.
    private static let unfinished = "unfinished"

    private func writeBase(_ text: String) throws(SnapshotError) {
        do throws(Errno) {
            try Files.replace(baseFile, with: Array((text + "\n").utf8))
        } catch {
            throw .system("write", baseFile, error)
        }
    }

    private func readBase() throws(SnapshotError) -> String? {
        do throws(Errno) {
            return try Files.readText(baseFile)
        } catch .noSuchFileOrDirectory {
            return nil
        } catch {
            throw .system("read", baseFile, error)
        }
    }

    private func isUnfinished() throws(SnapshotError) -> Bool {
        try readBase() == Self.unfinished
    }

    private func foreign() -> SnapshotError {
        .unavailable(
            driver: "devicemapper",
            "the pool on \(options.devices?.data ?? dataFile) has contents already, and \(baseFile) does not say that "
                + "they belong to this data root; bring that file back, or use other devices"
        )
    }

    /// The size of the base in sectors, if there is one.
    private func knownBase() throws(SnapshotError) -> UInt64? {
        guard let text = try readBase(), text != Self.unfinished else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 2, let known = UInt64(words[0]) else { throw .system("read", baseFile, .ioError) }
        guard words[1] == options.fileSystem.rawValue else {
            throw .option("storage option dm.fs: the pool in \(directory) was made with \(words[1])")
        }
        guard known >= sectors || options.baseSize == 10 << 30 else {
            throw .option(
                "storage option dm.basesize: the pool in \(directory) was made with \(known * 512) bytes, and keeps "
                    + "that size"
            )
        }
        return known
    }

    /// Removes the pool from the kernel, and those of its devices that nobody has open; what is in use stays.
    func close(_ devices: [Int64] = []) {
        do throws(Errno) {
            for id in devices + [0] {
                try mapper.remove(deviceName(id))
            }
            try mapper.remove(name)
        } catch {
            // Containers live on, and need it: the next daemon finds it.
        }
    }

    /// Used and all blocks, of metadata and of data; block sizes in bytes.
    func usage() throws(SnapshotError) -> (metadata: (used: Int64, total: Int64), data: (used: Int64, total: Int64)) {
        let words: [Substring]
        do throws(Errno) {
            words = try mapper.status(name).parameters.split(separator: " ")
        } catch {
            throw failure("ask", error)
        }
        func pair(_ text: Substring, _ size: Int64) -> (Int64, Int64)? {
            let numbers = text.split(separator: "/").compactMap { Int64($0) }
            return numbers.count == 2 ? (numbers[0] * size, numbers[1] * size) : nil
        }
        let block = Int64(Self.blockSectors) * Self.sectorSize
        guard words.count >= 3, let metadata = pair(words[1], 4096), let data = pair(words[2], block) else {
            throw .system("use the pool (it says \"\(words.joined(separator: " "))\") of", directory, .ioError)
        }
        return (metadata, data)
    }

    /// Throws if the pool is nearly full: then its devices block every process that writes to them.
    func checkSpace() throws(SnapshotError) {
        let usage = try usage()
        for (what, space) in [("data", usage.data), ("metadata", usage.metadata)] {
            guard space.total - space.used >= space.total * options.minimumFree / 100 else {
                throw .full(
                    "thin pool \(name) has \(space.total - space.used) of \(space.total) bytes of \(what) space left, "
                        + "less than dm.min_free_space=\(options.minimumFree)%: remove images or containers"
                )
            }
        }
    }

    // MARK: Devices

    func deviceName(_ id: Int64) -> String { "\(prefix)-\(id)" }

    /// Makes the device `id` as a copy of `origin`, which nobody writes to. Neither is active afterwards. False: there
    /// is a device of this number.
    func create(_ id: Int64, of origin: Int64) throws(SnapshotError) -> Bool {
        do throws(Errno) {
            try mapper.send("create_snap \(id) \(origin)", to: name)
            return true
        } catch .fileExists {
            return false
        } catch {
            throw failure("make a device in", error)
        }
    }

    /// The node of device `id`, which is there until it is deactivated.
    ///
    /// - Parameter size: How many bytes it has, if that is more than the others have.
    func activate(_ id: Int64, size: Int64? = nil) throws(SnapshotError) -> FilePath {
        do throws(Errno) {
            if let device = try mapper.device(deviceName(id)) { return device.path }
            guard let pool = try mapper.device(name) else { throw .noSuchAddressOrDevice }
            let table = DeviceMapper.Target(
                type: "thin", sectors: max(sectors, UInt64((size ?? 0) / Self.sectorSize)),
                parameters: "\(pool.numbers) \(id)")
            return try mapper.create(deviceName(id), table).path
        } catch {
            throw failure("start a device of", error)
        }
    }

    /// Takes the device from the kernel; its blocks stay. Waits some seconds until the device is no longer in use: a
    /// mount goes a moment after its last process.
    func deactivate(_ id: Int64) throws(SnapshotError) {
        var attempts = 0
        while true {
            do throws(Errno) {
                return try mapper.remove(deviceName(id))
            } catch .resourceBusy where attempts < 200 {
                attempts += 1
                usleep(50000)
            } catch {
                throw failure("stop a device of", error)
            }
        }
    }

    /// Takes the device from the kernel, unless somebody has it open.
    func deactivateIfIdle(_ id: Int64) {
        // The last process that closes it removes it, or else the end of the pool.
        try? mapper.remove(deviceName(id))
    }

    /// Gives back the blocks of a device. One that does not exist is no error.
    func delete(_ id: Int64) throws(SnapshotError) {
        try deactivate(id)
        do throws(Errno) {
            try mapper.send("delete \(id)", to: name)
        } catch .noData {
            return
        } catch {
            throw failure("delete a device of", error)
        }
    }

    /// A detached mount of an active device. A read-only one neither writes to the device nor lets anybody write to it.
    func mount(_ device: FilePath, isReadOnly: Bool) throws(Errno) -> FileDescriptor {
        let options = isReadOnly ? options.fileSystem.readOnly : options.fileSystem.writable
        return try Mounts.newFileSystem(
            self.options.fileSystem.rawValue, source: device.string, options: options.map { ($0, nil) },
            attributes: isReadOnly ? [.readOnly] : [])
    }

    private func failure(_ operation: String, _ errno: Errno) -> SnapshotError {
        .system("\(operation) the thin pool of", directory, errno)
    }
}
