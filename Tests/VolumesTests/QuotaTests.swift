import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

import Volumes

/// A file system of a kind on a loop device, with a data root on it.
private final class Disk {
    let directory: TemporaryDirectory
    let place: FilePath

    /// Whether there is a program that makes such a file system, and the kernel mounts it with quotas.
    static func works(_ type: String) -> Bool { geteuid() == 0 && (try? Disk(type)) != nil }

    init(_ type: String) throws {
        let arguments =
            type == "ext4" ? ["-q", "-O", "quota,project", "-E", "quotatype=prjquota"] : ["-q"]
        let options = type == "btrfs" ? "" : "prjquota"
        directory = try TemporaryDirectory()
        place = directory.path.appending("mnt")
        let image = directory.path.appending("image")
        try Files.makeDirectory(place)
        let file = try Files.open(image, [.writeOnly, .create], mode: 0o600)
        defer { file.discard() }
        guard ftruncate(file.rawValue, 512 << 20) == 0 else { throw Errno(rawValue: errno) }
        try Self.run(["mkfs.\(type)"] + arguments + [image.string])
        try Self.run([
            "mount", "-t", type, "-o", options.isEmpty ? "loop" : "loop,\(options)", image.string, place.string,
        ])
    }

    deinit { try? Mounts.unmount(place) }

    private static func run(_ words: [String]) throws {
        var pid = pid_t()
        var arguments = words.map { strdup($0) as UnsafeMutablePointer<CChar>? } + [nil]
        defer { for argument in arguments { free(argument) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0)
        }
        guard posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ) == 0 else {
            throw Errno.noSuchFileOrDirectory
        }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        guard status == 0 else { throw Errno.notSupported }
    }
}

@Suite("Limits of volumes", .serialized, .timeLimit(.minutes(5)))
struct QuotaTests {
    /// Writes so many bytes; the error that ends it.
    private func fill(_ path: FilePath, _ bytes: Int) -> Errno? {
        do throws(Errno) {
            let file = try Files.open(path, [.writeOnly, .create], mode: 0o600)
            defer { file.discard() }
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            for _ in 0..<(bytes >> 20) { try file.writeEntire(piece) }
            if fsync(file.rawValue) < 0 { return Errno(rawValue: errno) }
            return nil
        } catch {
            return error
        }
    }

    private func check(_ disk: Disk) async throws {
        let store = try await TestStore(dataRoot: disk.place.appending("data"))
        let root = disk.place.appending("data/volumes")
        for name in ["one", "two"] {
            _ = try await store.volumes.create(VolumeRequest(name: name, options: ["size": "16m"]))
        }
        _ = try await store.volumes.create(VolumeRequest(name: "free"))
        #expect(fill(root.appending("one/_data/small"), 4 << 20) == nil)
        let error = fill(root.appending("one/_data/large"), 64 << 20)
        #expect(error == .noSpace || error == Errno(rawValue: EDQUOT))
        // The limit is each volume's own.
        #expect(fill(root.appending("two/_data/small"), 8 << 20) == nil)
        #expect(fill(root.appending("free/_data/large"), 64 << 20) == nil)
        for name in ["one", "two", "free"] { try await store.volumes.remove(name) }
        #expect(try Files.names(in: root).isEmpty)
        // And goes with it: a new one begins with nothing.
        _ = try await store.volumes.create(VolumeRequest(name: "next", options: ["size": "16m"]))
        #expect(fill(root.appending("next/_data/small"), 8 << 20) == nil)
        try await store.volumes.remove("next")
    }

    private static let need = "needs root, a program that makes the file system, and a kernel with quotas for it"

    @Test("size limits a volume on btrfs", .enabled(if: Disk.works("btrfs"), "\(need)"))
    func btrfs() async throws { try await check(Disk("btrfs")) }

    @Test("size limits a volume on ext4", .enabled(if: Disk.works("ext4"), "\(need)"))
    func ext4() async throws { try await check(Disk("ext4")) }

    @Test("size limits a volume on xfs", .enabled(if: Disk.works("xfs"), "\(need)"))
    func xfs() async throws { try await check(Disk("xfs")) }

    @Test("size is refused in Docker's words where nothing can limit it")
    func unsupported() async throws {
        // A temporary file system counts for nobody.
        let directory = FilePath("/dev/shm/masu-volumes-\(getpid())")
        defer { try? TreeRemoval.remove(directory) }
        let store = try await TestStore(dataRoot: directory)
        await #expect(
            throws: VolumesError(.invalid, "create data: quota size requested but no quota support")
        ) { try await store.volumes.create(VolumeRequest(name: "data", options: ["size": "1g"])) }
        #expect(try await store.volumes.create(VolumeRequest(name: "data", options: ["size": "0"])).isNew)
    }
}
