import Glibc
import Images
import LinuxKernel
import OCISpec
import Snapshots
import SystemPackage
import Testing

@Suite(.enabled(if: geteuid() == 0, "snapshots need root"))
struct ImportTests {
    @Test(
        "an archive becomes an image with one layer, whatever it is compressed with",
        arguments: ["cat", "gzip", "xz -1", "bzip2"], ["overlay", "vfs"])
    func compressions(command: String, driver: String) async throws {
        let fixture = try ImagesFixture(driver: driver)
        let tar = try Tar.text([("etc/os-release", "masu"), ("bin/sh", "x")])
        let id = try await fixture.importing(Tar.through(command, tar), as: "debian:12", message: "by hand")
        let record = try await fixture.images.resolve("debian:12")
        #expect(record.id == id)
        #expect(record.size == 5)
        #expect(record.repositoryTags == ["debian:12"])
        #expect(record.configuration.platform.os == "linux")
        // The diff id is the digest of the archive without compression, as `docker import` has it.
        #expect(record.configuration.rootfs.diffIDs == [try await fixture.diffID(of: tar)])
        #expect(record.configuration.history?.first?.comment == "by hand")
        try await fixture.images.prepareContainerSnapshot(key: "c", image: id)
        let mounts = try await fixture.images.mounts(key: "c")
        #expect(mounts.first?.type == (driver == "overlay" ? "overlay" : "bind"))
        try await fixture.images.removeSnapshot(key: "c")
    }

    @Test("the instructions of --change end up in the configuration")
    func changes() async throws {
        let fixture = try ImagesFixture()
        try await fixture.importing(
            Tar.text([("a", "b")]), as: "x",
            changes: [
                #"CMD ["bash", "-l"]"#, "entrypoint exec top -b", #"ENV A=1 B="two words" C=d\ e"#, "ENV OLD a b  c",
                "ENV A=2",
                "EXPOSE 80 53/udp 8000-8001", #"LABEL a=b "c d"="e f""#, "ONBUILD RUN x", "STOPSIGNAL SIGQUIT",
                "USER 1:2",
                #"VOLUME ["/data", "/more"]"#, "VOLUME /third", "WORKDIR /a/b", "WORKDIR ../c",
                "HEALTHCHECK --interval=5s --retries=2 CMD true",
            ])
        let config = try #require(try await fixture.images.resolve("x").configuration.config)
        #expect(config.cmd == ["bash", "-l"])
        #expect(config.entrypoint == ["/bin/sh", "-c", "exec top -b"])
        #expect(config.env == ["B=two words", "C=d e", "OLD=a b  c", "A=2"])
        #expect(config.exposedPorts?.sorted == ["53/udp", "80/tcp", "8000/tcp", "8001/tcp"])
        #expect(config.labels == ["a": "b", "c d": "e f"])
        #expect(config.onBuild == ["RUN x"])
        #expect(config.stopSignal == "SIGQUIT" && config.user == "1:2" && config.workingDir == "/a/c")
        #expect(config.volumes?.sorted == ["/data", "/more", "/third"])
        #expect(config.healthcheck?.test == ["CMD-SHELL", "true"] && config.healthcheck?.interval == 5_000_000_000)
    }

    @Test(
        "a wrong instruction is refused before anything is read",
        arguments: [
            "", "RUN x", "FROM y", "CMD", "ENV A", "ENV =x", "EXPOSE 70000", "EXPOSE 80/icmp", "LABEL \"a=b",
            "ONBUILD FROM x",
            "VOLUME [\"\"]", "HEALTHCHECK x", "EXPOSE 9-1",
        ])
    func wrongChange(change: String) async throws {
        let fixture = try ImagesFixture()
        let before = try await fixture.inventory()
        let error = await #expect(throws: ImagesError.self) {
            try await fixture.importing(Tar.text([("a", "b")]), changes: [change])
        }
        #expect(error?.kind == .invalid)
        #expect(try await fixture.inventory() == before)
    }

    @Test("variables in --change are those of the configuration so far; an entry point comes without the old command")
    func variables() async throws {
        let fixture = try ImagesFixture()
        var process = ImageProcess()
        process.env = ["PATH=/bin", "USER=u", "EMPTY="]
        process.cmd = [""]
        try process.apply([
            "ENV PATH=/usr/bin:$PATH",
            #"ENV A=${USER}x B='$USER' C="$USER" D=\$USER E=${NO:-none} F=${USER:+is} G=$NO."#,
            "ENV OLD ${A} $USER", "ENV X=1 Y=$X", #"ENTRYPOINT ["true"]"#, "WORKDIR /home/$USER", "USER ${USER}",
            "LABEL who=$USER", "EXPOSE ${PORT:-80}", #"VOLUME ["/v/$USER"]"#,
        ])
        #expect(
            process.env == [
                "USER=u", "EMPTY=", "PATH=/usr/bin:/bin", "A=ux", "B=$USER", "C=u", "D=$USER", "E=none", "F=is",
                "G=.", "OLD=ux u", "X=1", "Y=",
            ])
        #expect(process.entrypoint == ["true"] && process.cmd == nil)
        #expect(process.workingDir == "/home/u" && process.user == "u" && process.labels == ["who": "u"])
        #expect(process.exposedPorts?.sorted == ["80/tcp"] && process.volumes?.sorted == ["/v/u"])
        try process.apply([#"CMD ["x", "$USER"]"#, #"ENTRYPOINT ["y"]"#])
        #expect(process.cmd == ["x", "$USER"] && process.entrypoint == ["y"])
        for change in ["ENV A=${", "ENV A=${USER", "ENV A=${USER:?x}", "WORKDIR ${}"] {
            #expect(throws: ImagesError.self, "\(change)") { try process.apply([change]) }
        }
        // An import begins with nothing.
        try await fixture.importing(Tar.text([("a", "b")]), as: "x", changes: ["ENV A=$PATH", "ENV B=${A:-b}"])
        #expect(try await fixture.images.resolve("x").configuration.config?.env == ["A=", "B=b"])
    }

    @Test("an archive may be empty, and stop after its last entry")
    func shortArchives() async throws {
        let fixture = try ImagesFixture()
        try await fixture.importing([], as: "empty")
        try await fixture.importing(Tar.make([("a", [1, 2, 3])], endsProperly: false), as: "open")
        #expect(try await fixture.images.resolve("empty").configuration.rootfs.diffIDs.count == 1)
        #expect(try await fixture.images.usage().layersSize == 3)
    }

    @Test("bad data leaves nothing behind and is called invalid", arguments: BadArchive.all)
    func badData(example: BadArchive) async throws {
        let fixture = try ImagesFixture()
        let before = try await fixture.inventory()
        let error = await #expect(throws: ImagesError.self) { try await fixture.importing(example.bytes, as: "x") }
        #expect(error?.kind == .invalid, "\(error?.message ?? "")")
        #expect(try await fixture.inventory() == before)
    }

    struct BadArchive: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]

        static let all: [BadArchive] = {
            let big = [UInt8](repeating: 0x61, count: 3 << 20)
            let whole = (try? Tar.make([("a", big), ("b", big)])) ?? []
            let packed = (try? Tar.through("gzip", whole)) ?? []
            return [
                BadArchive(testDescription: "text", bytes: Array(String(repeating: "no tar ", count: 999).utf8)),
                BadArchive(testDescription: "cut in a file", bytes: Array(whole.prefix(4 << 20))),
                BadArchive(testDescription: "cut gzip", bytes: Array(packed.dropLast(9))),
                BadArchive(
                    testDescription: "damaged gzip",
                    bytes: packed.enumerated().map { $0.offset == packed.count / 2 ? $0.element ^ 0x40 : $0.element }),
                BadArchive(
                    testDescription: "a file above the root",
                    bytes: (try? Tar.make([("a", big), ("../x", [1])])) ?? []),
            ]
        }()
    }

    @Test("importing again under the same name moves the name, and leaves the first image dangling")
    func moves() async throws {
        let fixture = try ImagesFixture()
        let first = try await fixture.importing(Tar.text([("a", "1")]), as: "x")
        let second = try await fixture.importing(Tar.text([("a", "2")]), as: "x")
        #expect(try await fixture.images.resolve("x").id == second)
        #expect(try await fixture.images.resolve(first.encoded).isDangling)
        #expect(try await fixture.images.list(ImageFilters(["dangling": ["true"]])).map(\.record.id) == [first])
    }

    @Test("a cancelled import leaves nothing behind")
    func cancelled() async throws {
        let fixture = try ImagesFixture()
        let before = try await fixture.inventory()
        let (read, write) = try FileDescriptor.makePipe()
        try write.writeAll(Tar.make([("a", [UInt8](repeating: 1, count: 10_000))], endsProperly: false))
        let task = Task { try await fixture.images.importImage(from: read, reference: nil) }
        // Until it has begun: what has been written is read.
        while try Poll.wait(for: [(read, .readable)], milliseconds: 0) != [[]] {
            try await Task.sleep(for: .milliseconds(5))
        }
        task.cancel()
        await #expect(throws: ImagesError.self) { _ = try await task.value }
        try read.close()
        try write.close()
        #expect(try await fixture.inventory() == before)
    }

    @Test(
        "a full disk during an import is told, and leaves nothing behind",
        .enabled(if: geteuid() == 0, "mounting needs root"))
    func fullDisk() async throws {
        let disk = try SmallDisk("12m")
        defer { disk.remove() }
        let fixture = try ImagesFixture(directory: disk.path)
        let before = try await fixture.inventory()
        let tar = try Tar.make((0..<10).map { ("f\($0)", [UInt8](repeating: 1, count: 1 << 20)) })
        let error = await #expect(throws: ImagesError.self) { try await fixture.importing(tar, as: "x") }
        #expect(error?.kind == .system)
        #expect(error?.message.contains("No space left on device") == true, "\(error?.message ?? "")")
        #expect(try await fixture.inventory() == before)
        try await fixture.importing(Tar.text([("a", "1")]), as: "x")
    }

    @Test("a 10 GiB sparse file takes neither disk nor time")
    func sparse() async throws {
        let fixture = try ImagesFixture()
        let tar = try Tar.through(
            "sh -c 'cat > /dev/null; d=$(mktemp -d); truncate -s 10G $d/huge; tar -C $d -cS .; rm -r $d'", [])
        try await fixture.importing(tar, as: "x")
        #expect(try await fixture.images.usage().layersSize == 0)
        #expect(tar.count < 1 << 20)
    }
}

extension ImagesFixture {
    /// What the digest of these bytes is, by way of an import.
    fileprivate func diffID(of tar: [UInt8]) async throws -> Digest {
        let other = try ImagesFixture()
        let id = try await other.importing(tar)
        return try #require(try await other.images.record(id)?.configuration.rootfs.diffIDs.first)
    }
}
