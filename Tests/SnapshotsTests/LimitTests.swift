import Glibc
import LinuxKernel
import Snapshots
import SystemPackage
import Testing

/// Limits on what a container's snapshot takes (`--storage-opt size`). Those by projects need a kernel with quotas,
/// which the virtual machine of `scripts/vm` has.
@Suite("Limits of snapshots", .serialized, .timeLimit(.minutes(5)))
struct LimitTests {
    private static func withProjects(_ name: String) -> TestedDriver {
        TestedDriver(
            name: name,
            prepare: { directory in
                try TestedDriver.mountImage(
                    "mkfs.ext4", ["-q", "-F", "-O", "quota,project", "-E", "quotatype=prjquota"], "ext4",
                    on: directory, data: "prjquota")
            })
    }

    private static let hasProjects = ConditionTrait.enabled(
        if: geteuid() == 0 && TestedDriver.hasProgram("mkfs.ext4")
            && (try? SnapshotterFixture(withProjects("vfs"))) != nil,
        "this kernel has no project quotas on ext4, or mkfs.ext4 is missing")

    /// Writes so many bytes into a container's file; the error that ends it.
    private func fill(_ fixture: SnapshotterFixture, _ container: String, _ bytes: Int) throws -> Errno? {
        try fixture.mounted(container) { root in
            // Who has CAP_SYS_RESOURCE may pass over a limit of ext4; a container has not got it.
            let sets = try Credentials.capabilities()
            try Credentials.setCapabilities(
                effective: sets.effective.subtracting(CapabilitySet(rawValue: 1 << 24)), permitted: sets.permitted,
                inheritable: sets.inheritable)
            defer {
                // They are permitted.
                try? Credentials.setCapabilities(
                    effective: sets.effective, permitted: sets.permitted, inheritable: sets.inheritable)
            }
            do throws(Errno) {
                let file = try Files.open(root.appending("filled"), [.writeOnly, .create, .truncate], mode: 0o600)
                defer { file.discard() }
                let piece = [UInt8](repeating: 1, count: 1 << 20)
                for _ in 0..<(bytes >> 20) { try file.writeEntire(piece) }
                if fsync(file.rawValue) < 0 { return Errno(rawValue: errno) }
                return nil
            } catch {
                return error
            }
        }
    }

    private func isFull(_ error: Errno?) -> Bool { error == .noSpace || error == Errno(rawValue: EDQUOT) }

    private func check(_ fixture: SnapshotterFixture) throws {
        let snapshotter = fixture.snapshotter
        try #require(snapshotter.refusal(ofLimit: 32 << 20) == nil)
        try fixture.layer("one", parent: nil, ["etc/config": "1"])
        try snapshotter.prepare("limited", parent: "one", limit: 32 << 20)
        try snapshotter.prepare("other", parent: "one", limit: 32 << 20)
        try snapshotter.prepare("free", parent: "one")
        #expect(isFull(try fill(fixture, "limited", 64 << 20)))
        #expect(try fill(fixture, "other", 8 << 20) == nil)
        #expect(try fill(fixture, "free", 64 << 20) == nil)
        try fixture.mounted("limited") { root in
            try Files.remove(root.appending("filled"))
            // From the work directory of overlayfs to the upper one, and within that.
            #expect(SnapshotterFixture.text(root.appending("etc/config")) == "1")
            #expect(chmod(root.appending("etc/config").string, 0o600) == 0)
            try Files.rename(root.appending("etc/config"), to: root.appending("moved"))
        }
        try fixture.reopen()
        #expect(isFull(try fill(fixture, "limited", 64 << 20)))
        for name in ["limited", "other", "free"] { try fixture.snapshotter.remove(name) }
        // The limit goes with the snapshot.
        try fixture.snapshotter.prepare("limited", parent: "one", limit: 96 << 20)
        #expect(try fill(fixture, "limited", 64 << 20) == nil)
    }

    @Test("layers of overlayfs count for a project", hasProjects, arguments: ["overlay", "erofs"])
    func layered(_ driver: String) throws {
        guard driver != "erofs" || TestedDriver.canHaveErofs else { return }
        try check(SnapshotterFixture(Self.withProjects(driver)))
    }

    @Test("so do whole copies, with what the image has", hasProjects)
    func copied() throws { try check(SnapshotterFixture(Self.withProjects("vfs"))) }

    @Test(
        "subvolumes have a limit of their own",
        .enabled(if: TestedDriver.canHaveBtrfs, "this machine has no btrfs or no mkfs.btrfs"))
    func subvolumes() throws { try check(SnapshotterFixture(.btrfs)) }

    @Test(
        "a thin device can be larger than the others, and not smaller",
        .enabled(if: TestedDriver.canHaveThinDevices, "this kernel has no device mapper, or mkfs.ext4 is missing"))
    func thinDevices() throws {
        let fixture = try SnapshotterFixture(.deviceMapper)
        let snapshotter = fixture.snapshotter
        #expect(snapshotter.refusal(ofLimit: 100 << 20) == "devmapper: Container size cannot be smaller than 209.7MB")
        #expect(snapshotter.refusal(ofLimit: 400 << 20) == nil)
        try fixture.layer("one", parent: nil, ["a": "1"])
        try snapshotter.prepare("large", parent: "one", limit: 400 << 20)
        try snapshotter.prepare("usual", parent: "one")
        #expect(try fill(fixture, "large", 300 << 20) == nil)
        #expect(isFull(try fill(fixture, "usual", 300 << 20)))
        #expect(try snapshotter.details("large")["DeviceSize"] == "\(400 << 20)")
        try fixture.reopen()
        #expect(try fill(fixture, "large", 300 << 20) == nil)
    }

    @Test("a limit of less than a block is one, too", hasProjects)
    func smallest() throws {
        let fixture = try SnapshotterFixture(Self.withProjects("vfs"))
        try fixture.snapshotter.prepare("tiny", parent: nil, limit: 1)
        #expect(isFull(try fill(fixture, "tiny", 1 << 20)))
    }

    @Test("a limit that fails is in nobody's way", arguments: ["overlay", "erofs", "vfs"])
    func failed(_ driver: String) throws {
        guard driver != "erofs" || TestedDriver.canHaveErofs else { return }
        let fixture = try SnapshotterFixture(TestedDriver(name: driver))
        let snapshotter = fixture.snapshotter
        guard snapshotter.refusal(ofLimit: 1 << 20) != nil else { return }  // A temporary directory with quotas.
        try fixture.layer("one", parent: nil, ["etc/config": "1"])
        let before = fixture.directories
        #expect(throws: SnapshotError.self) { try snapshotter.prepare("limited", parent: "one", limit: 1 << 20) }
        #expect(fixture.directories == before)
        try snapshotter.prepare("next", parent: "one")
        #expect(try snapshotter.information("limited") == nil)
    }

    @Test("where the file system does not count, the refusal has Docker's words")
    func refused() throws {
        let overlay = try SnapshotterFixture(.overlay)
        let vfs = try SnapshotterFixture(.vfs)
        guard vfs.snapshotter.refusal(ofLimit: 1 << 20) != nil else { return }  // A temporary directory with quotas.
        #expect(
            overlay.snapshotter.refusal(ofLimit: 1 << 20)
                == "--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
        #expect(
            vfs.snapshotter.refusal(ofLimit: 1 << 20) == "Filesystem does not support, or has not enabled quotas")
    }
}
