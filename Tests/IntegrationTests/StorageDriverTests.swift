import Foundation
import Glibc
import Testing

/// A storage driver other than overlay, and what it needs.
struct StorageDriver: Sendable, CustomTestStringConvertible {
    let name: String
    var options: [String] = []

    var testDescription: String { name }
    var flags: [String] { ["--storage-driver", name] + options.flatMap { ["--storage-opt", $0] } }

    static let deviceMapper = StorageDriver(
        name: "devicemapper", options: ["dm.loopdatasize=1G", "dm.loopmetadatasize=16M", "dm.basesize=200M"])

    /// Those for any directory, as far as the kernel has them.
    static let anywhere = [StorageDriver(name: "vfs"), StorageDriver(name: "erofs")].filter { driver in
        // A kernel that cannot be asked has none.
        let known = (try? String(contentsOfFile: "/proc/filesystems", encoding: .utf8)) ?? ""
        return driver.name == "vfs" || known.contains("erofs")
    }
    /// Those that mount block devices, on older kernels at least.
    static let onDevices = [StorageDriver(name: "erofs"), deviceMapper]

    static var hasDeviceMapper: Bool {
        access("/dev/mapper/control", R_OK) == 0 && access("/sbin/mkfs.ext4", X_OK) == 0
    }
}

extension Integration {
    /// Storage drivers, as far as this machine has them: overlay is under test everywhere else.
    @Suite("storage drivers")
    struct StorageDrivers {
        @Test(
            "another driver stands in for overlay, also after a crash", arguments: Client.available,
            StorageDriver.anywhere)
        func others(_ client: Client, _ driver: StorageDriver) throws {
            try standsIn(client, driver)
        }

        @Test(
            "so does one that needs devices, which a container's control group refuses it",
            .enabled(if: StorageDriver.hasDeviceMapper, "this kernel has no device mapper, or mkfs.ext4 is missing"),
            arguments: StorageDriver.onDevices)
        func devices(_ driver: StorageDriver) throws {
            try standsIn(.masu, driver)
        }

        @Test(
            "a container can have a larger thin device than the others, and no smaller one",
            .enabled(if: StorageDriver.hasDeviceMapper, "this kernel has no device mapper, or mkfs.ext4 is missing"),
            arguments: Client.available)
        func size(_ client: Client) throws {
            try withDaemon(options: StorageDriver.deviceMapper.flags) { daemon in
                func blocks(_ options: String...) throws -> Int {
                    let run = daemon.command(client, ["run", "--rm"] + options + ["busybox", "df", "-m", "/"])
                    let line = try #require(try run.runToEnd().lines.last)
                    return line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                }
                #expect(try blocks() < 200)
                #expect(try blocks("--storage-opt", "size=400m") > 300)
                let small = try daemon.run(client, "create", "--storage-opt", "size=100m", "busybox")
                #expect(
                    small.errors.contains("devmapper: Container size cannot be smaller than 209.7MB"), "\(small)")
                let id = try daemon.ok(client, "create", "--storage-opt", "size=400m", "busybox", "true")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.HostConfig.StorageOpt.size}}", id) == "400m")
                try daemon.crash()
                try daemon.start()
                try daemon.ok(client, "start", "-a", id)
                try daemon.ok(client, "rm", id)
            }
        }

        private func standsIn(_ client: Client, _ driver: StorageDriver) throws {
            try withDaemon(options: driver.flags) { daemon in
                let first = try daemon.run(
                    client, "run", "--rm", "busybox", "sh", "-c", "echo x >/made; rm /etc/group; ls /etc")
                #expect(first.code == 0 && !first.output.contains("group"), "\(first)")
                let second = try daemon.run(client, "run", "--rm", "busybox", "sh", "-c", "ls / /etc")
                #expect(second.output.contains("group") && !second.output.contains("made"), "\(second)")
                #expect(try daemon.ok(client, "info", "-f", "{{.Driver}}") == driver.name)
                try daemon.ok(client, "create", "--name", "kept", "busybox", "sh", "-c", "cat /made; echo again >/made")
                try daemon.ok(client, "run", "-d", "--name", "running", "--user", "root", "busybox", "sleep", "1000")
                try daemon.ok(client, "start", "-a", "kept")
                try daemon.crash()
                try daemon.start()
                let kept = try daemon.run(client, "start", "-a", "kept")
                #expect(kept.output.hasPrefix("again"), "\(kept)")
                try daemon.ok(client, "exec", "running", "touch", "/etc/new")
                #expect(try daemon.ok(client, "inspect", "-f", "{{.GraphDriver.Name}}", "running") == driver.name)
                try daemon.ok(client, "rm", "-f", "running", "kept")
                try daemon.ok(client, "run", "--rm", "busybox", "true")
            }
        }

        @Test(
            "a driver that cannot be had is refused in one line",
            arguments: [
                (["--storage-driver", "btrfs"], "mount a btrfs file system there"),
                (["--storage-driver", "zfs"], "unknown storage driver \"zfs\""),
                (["--storage-opt", "dm.basesize=1G"], "unknown storage option"),
            ])
        func refused(_ flags: [String], _ reason: String) throws {
            var template = Array("/tmp/masu-driver-test-XXXXXX".utf8CString)
            let root = String(cString: mkdtemp(&template))
            defer { try? FileManager.default.removeItem(atPath: root) }
            var command = Command(Programs.masud)
            command.arguments +=
                ["--data-root", root + "/data", "--exec-root", root + "/run", "--config-file", "/dev/null"] + flags
            let result = try command.runToEnd()
            let lines = (result.errors + result.output).split(separator: "\n").filter { $0.contains(reason) }
            #expect(result.code != 0 && lines.count == 1, "\(result)")
        }
    }
}
