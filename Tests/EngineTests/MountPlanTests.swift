import Engine
import JSON
import Testing

/// Which mounts a container gets, by Docker's rules of precedence.
@Suite("Mount plan") struct MountPlanTests {
    private func plan(
        inheriting others: [MountPlan.Inheritance] = [], _ change: (inout ContainerConfiguration) throws -> Void
    ) throws -> [String: MountPlan.Entry] {
        var configuration = ContainerConfiguration(image: "box")
        try change(&configuration)
        let plan = MountPlan(configuration, inheriting: others, dataRoot: "/var/lib/masu")
        #expect(Set(plan.entries.map(\.target.path)).count == plan.entries.count)
        return Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.target.path, $0) })
    }

    private func volume(_ entry: MountPlan.Entry?) -> WantedVolume? {
        guard case .volume(let volume)? = entry?.content else { return nil }
        return volume
    }

    private func bind(_ entry: MountPlan.Entry?) -> MountedPath? {
        guard case .settled(.bind(let bind))? = entry?.content else { return nil }
        return bind
    }

    @Test("a place of an anonymous volume gets none if anything else is mounted there")
    func covered() throws {
        let entries = try plan { configuration in
            configuration.volumes = try ["/a", "/b/", "/c", "/d", "/e"].map { try MountTarget($0) }
            configuration.host.binds = [
                BindSpecification(source: "/tmp", target: try MountTarget("/a/../a")),
                BindSpecification(source: "data", target: try MountTarget("/b")),
            ]
            configuration.host.mounts = [MountSpecification(kind: .tmpfs, target: try MountTarget("/c"))]
            configuration.host.tmpfs = [TmpfsMount(target: try MountTarget("/d"))]
        }
        #expect(entries.keys.sorted() == ["/a", "/b", "/c", "/e"])
        #expect(bind(entries["/a"])?.path == "/tmp" && volume(entries["/b"])?.name == "data")
        let anonymous = try #require(entries["/e"])
        #expect(volume(anonymous) == WantedVolume(copiesUp: true) && anonymous.isPlaceOnly && anonymous.isWritable)
    }

    @Test("a container's own mounts come before those of others, and those of a later one before an earlier one's")
    func inherited() throws {
        let volume = MountedVolume(name: "v", driver: "local", path: "/p", isAnonymous: true, copiesUp: true)
        let first = [
            MountPoint(.volume(volume), at: try MountTarget("/x"), mode: "z"),
            MountPoint(.bind(MountedPath(path: "/first")), at: try MountTarget("/y")),
            MountPoint(.bind(MountedPath(path: "/first")), at: try MountTarget("/z")),
        ]
        let second = [MountPoint(.bind(MountedPath(path: "/second")), at: try MountTarget("/y"))]
        let entries = try plan(inheriting: [.init(first, isReadOnly: true), .init(second)]) { configuration in
            configuration.host.binds = [BindSpecification(source: "/own", target: try MountTarget("/z"))]
            configuration.volumes = [try MountTarget("/x")]
        }
        #expect(bind(entries["/y"])?.path == "/second" && bind(entries["/z"])?.path == "/own")
        #expect(entries["/y"]?.isWritable == true && entries["/x"]?.isWritable == false)
        guard case .settled(.volume(let kept))? = entries["/x"]?.content else {
            Issue.record("the volume of the other container is missing")
            return
        }
        // It is filled already, and stays anonymous.
        #expect(kept.name == "v" && kept.isAnonymous && !kept.copiesUp)
    }

    @Test("a volume asked for with -v has the options and the driver of the command line")
    func shortForm() throws {
        let entries = try plan { configuration in
            configuration.host.volumeDriver = "nfs"
            configuration.host.binds = [
                BindSpecification(source: "a", target: try MountTarget("/a"), options: [.nocopy, .ro]),
                BindSpecification(source: "b", target: try MountTarget("/b")),
            ]
            configuration.volumes = [try MountTarget("/c")]
        }
        #expect(volume(entries["/a"]) == WantedVolume(name: "a", driver: "nfs", copiesUp: false))
        #expect(entries["/a"]?.mode == "nocopy,ro" && entries["/a"]?.isWritable == false)
        #expect(volume(entries["/b"]) == WantedVolume(name: "b", driver: "nfs", copiesUp: true))
        #expect(volume(entries["/c"])?.driver == "nfs")
    }

    @Test("a volume asked for with --mount has its own driver, options and labels; a part of one is not filled")
    func longForm() throws {
        let entries = try plan { configuration in
            configuration.host.volumeDriver = "ignored"
            var mount = MountSpecification(kind: .volume, source: "v", target: try MountTarget("/v"))
            var options = MountSpecification.VolumeOptions()
            options.driver = "local"
            options.driverOptions = ["type": "tmpfs"]
            options.labels = ["k": "v"]
            mount.volume = options
            var part = MountSpecification(kind: .volume, source: "v", target: try MountTarget("/part"))
            options.subpath = Subpath("a/b")
            part.volume = options
            configuration.host.mounts = [mount, part]
        }
        #expect(
            volume(entries["/v"])
                == WantedVolume(
                    name: "v", driver: "local", options: ["type": "tmpfs"], labels: ["k": "v"], copiesUp: true))
        #expect(volume(entries["/part"])?.subpath == Subpath("a/b") && volume(entries["/part"])?.copiesUp == false)
    }

    @Test("bind mounts say how deep they go, who makes the source, and follow the daemon's unmounting")
    func binds() throws {
        let entries = try plan { configuration in
            var mount = MountSpecification(kind: .bind, source: "/var", target: try MountTarget("/m"), readOnly: true)
            var options = MountSpecification.BindOptions()
            options.nonRecursive = true
            options.readOnlyNonRecursive = true
            mount.bind = options
            configuration.host.mounts = [mount]
            configuration.host.binds = [BindSpecification(source: "/srv", target: try MountTarget("/b"))]
        }
        let long = try #require(bind(entries["/m"]))
        #expect(!long.isRecursive && !long.makesSource && entries["/m"]?.isReadOnlyAtTopOnly == true)
        #expect(long.effectivePropagation == .rslave)
        let short = try #require(bind(entries["/b"]))
        #expect(short.isRecursive && short.makesSource && short.effectivePropagation == .rprivate)
    }

    @Test("an image is read-only, whatever was asked for")
    func image() throws {
        let entries = try plan { configuration in
            configuration.host.mounts = [MountSpecification(kind: .image, source: "box", target: try MountTarget("/i"))]
        }
        #expect(entries["/i"]?.content == .image(reference: "box", id: nil, subpath: nil))
        #expect(entries["/i"]?.isWritable == false)
    }

    @Test("what is stored of a mount is what it was")
    func stored() throws {
        var tmpfs = MountSpecification.TmpfsOptions()
        tmpfs.sizeBytes = 4096
        let contents: [MountPoint.Content] = [
            .bind(MountedPath(path: "/a")), .tmpfs(tmpfs),
            .volume(MountedVolume(name: "v", driver: "local", path: "/p", subpath: Subpath("x"), copiesUp: true)),
            .image(MountedImage(reference: "box", id: "sha256:0", subpath: nil, snapshot: "s")),
        ]
        for content in contents {
            let point = MountPoint(content, at: try MountTarget("/x"), mode: "z", isWritable: false)
            #expect(try JSON.decode(MountPoint.self, from: JSON.encode(point)) == point)
        }
    }

    @Test(
        "a part of a volume is a relative path that does not lead out by its words",
        arguments: [
            ("a", true), ("a/b", true), (".", true), ("a/../b", true), ("./a", true), ("", false), ("/a", false),
            ("..", false), ("../a", false), ("a/../..", false), ("a/../../b", false), ("a\0b", false),
        ])
    func subpath(_ text: String, _ isTaken: Bool) {
        #expect((Subpath(text) != nil) == isTaken)
    }

    @Test(
        "a container of --volumes-from may have a mode, but none of propagation or copying",
        arguments: [
            ("web", "web", false), ("web:ro", "web", true), ("web:rw", "web", false), ("web:", "web", false),
            ("web:ro,z", "web", true), ("web:Z", "web", false),
        ])
    func volumesFrom(_ text: String, _ name: String, _ isReadOnly: Bool) throws {
        let from = try VolumesFrom(text)
        #expect(from.container == name && from.isReadOnly == isReadOnly && from.description == text)
    }

    @Test(
        "nonsense in --volumes-from is refused",
        arguments: ["web:x", "web:rslave", "web:nocopy", "web:ro,rw", "web:z,Z", "web:ro:rw", "web:,"])
    func badVolumesFrom(_ text: String) {
        #expect(throws: VolumesFrom.Refusal.mode(String(text.dropFirst(4)))) { try VolumesFrom(text) }
    }
}
