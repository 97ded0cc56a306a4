import Foundation
import Testing

extension Integration {
    /// Archives from strangers.
    @Suite("hostile archives")
    struct HostileArchives {
        /// Puts an archive before `import`.
        private func importing(_ daemon: TestDaemon, _ bytes: [UInt8]) throws -> Command.Result {
            let file = try TemporaryFile(containing: bytes)
            return try daemon.run(.masu, "import", file.path, "hostile")
        }

        /// Whether the import was refused, or the image is harmless: it changed nothing outside of its own root.
        private func expectHarmless(
            _ daemon: TestDaemon, _ archive: TarArchive, at location: SourceLocation = #_sourceLocation
        ) throws {
            let victim = daemon.root + "/victim"
            try "untouched".write(toFile: victim, atomically: false, encoding: .utf8)
            let before = try daemon.footprint()
            let result = try importing(daemon, archive.complete)
            #expect(
                try String(contentsOfFile: victim, encoding: .utf8) == "untouched", "\(result)",
                sourceLocation: location)
            for path in ["/masu-escaped", "/tmp/masu-escaped", "/etc/masu-escaped", daemon.root + "/masu-escaped"] {
                #expect(access(path, F_OK) != 0, "\(path) was made: \(result)", sourceLocation: location)
            }
            if result.code == 0 {
                try daemon.ok(.masu, "rmi", "hostile", at: location)
            } else {
                #expect(!result.errors.isEmpty, sourceLocation: location)
            }
            try daemon.expectFootprint(before, at: location)
        }

        @Test("names with .. and absolute names stay inside")
        func dotDot() throws {
            try withDaemon { daemon in
                var archive = TarArchive()
                archive.add("../../../../../../../../../../masu-escaped", text: "x")
                archive.add("/masu-escaped", text: "x")
                archive.add("a/../../../../../../../../../tmp/masu-escaped", text: "x")
                try expectHarmless(daemon, archive)
            }
        }

        @Test("symbolic links lead nowhere but inside")
        func symbolicLinks() throws {
            try withDaemon { daemon in
                let up = String(repeating: "../", count: 20)
                for target in ["/", up, "\(up)etc", "/etc", "/proc/self/root", daemon.root] {
                    var archive = TarArchive()
                    archive.add("way", .symbolicLink, link: target)
                    archive.add("way/masu-escaped", text: "x")
                    archive.add("way/tmp/masu-escaped", text: "x")
                    archive.add("way/victim", text: "overwritten")
                    try expectHarmless(daemon, archive)
                }
            }
        }

        @Test("hard links reach no file of the host")
        func hardLinks() throws {
            try withDaemon { daemon in
                for target in [
                    daemon.root + "/victim",
                    String(repeating: "../", count: 20) + String(daemon.root.dropFirst()) + "/victim",
                ] {
                    var archive = TarArchive()
                    archive.add("link", .hardLink, link: target)
                    archive.add("link", text: "overwritten")
                    try expectHarmless(daemon, archive)
                }
                var through = TarArchive()
                through.add("way", .symbolicLink, link: daemon.root)
                through.add("link", .hardLink, link: "way/victim")
                try expectHarmless(daemon, through)
            }
        }

        @Test("device nodes are no way to the host's devices")
        func deviceNodes() throws {
            try withDaemon { daemon in
                // The block device that the roots lie on.
                var status = stat()
                stat(daemon.root, &status)
                let major = Int(status.st_dev >> 8) & 0xfff
                let minor = Int(status.st_dev & 0xff)
                var archive = TarArchive()
                let busybox = [UInt8](FileManager.default.contents(atPath: "/bin/busybox") ?? Data())
                archive.add("bin/", .directory, mode: 0o755)
                archive.add("bin/busybox", contents: busybox, mode: 0o755)
                archive.add("disk", .blockDevice, mode: 0o666, major: major, minor: minor)
                archive.add("mem", .characterDevice, mode: 0o666, major: 1, minor: 1)
                let result = try importing(daemon, archive.complete)
                if result.code == 0 {
                    for device in ["/disk", "/mem"] {
                        let read = try daemon.run(
                            .masu, "run", "--rm", "hostile", "/bin/busybox", "head", "-c", "1", device)
                        #expect(read.code != 0 && read.output.isEmpty, "\(device) can be read: \(read)")
                    }
                }
            }
        }

        @Test("a truncated archive is refused and leaves nothing")
        func truncated() throws {
            try withDaemon { daemon in
                let whole = [UInt8](FileManager.default.contents(atPath: try Roots.busybox()) ?? Data())
                let before = try daemon.footprint()
                let blobs = daemon.files(below: "data/content")
                for length in [1, 511, 700, whole.count / 2] {
                    let result = try importing(daemon, Array(whole[..<length]))
                    #expect(result.code == 1, "\(length) bytes: \(result)")
                    #expect(!result.errors.isEmpty)
                }
                var lying = TarArchive()
                lying.add("file", contents: [1, 2, 3], size: 5_000_000)
                #expect(try importing(daemon, lying.bytes).code == 1)
                for noise in [Array("this is not an archive".utf8), [UInt8](repeating: 0xff, count: 5000)] {
                    #expect(try importing(daemon, noise).code == 1)
                    let file = try TemporaryFile(containing: noise)
                    #expect(try daemon.run(.masu, "load", "-i", file.path).code == 1)
                }
                var gzip = Command("/bin/gzip", "-c")
                gzip.input = whole
                let compressing = try gzip.start()
                _ = try compressing.waitForEnd()
                #expect(try importing(daemon, Array(compressing.output.bytes.dropLast(1000))).code == 1)
                try daemon.expectFootprint(before)
                #expect(daemon.files(below: "data/content") == blobs, "blobs stay behind")
            }
        }

        @Test("a docker archive with paths that lead out, wrong digests or no manifest is refused")
        func hostileImages() throws {
            try withDaemon { daemon in
                let before = try daemon.footprint()
                let blobs = daemon.files(below: "data/content")
                let layer = Images.layer("x", "x")
                let configuration = try Images.configuration([layer])
                let wrong = try Images.configuration([Images.layer("y", "y")])
                func archive(_ manifest: String, _ configuration: [UInt8]) throws -> TemporaryFile {
                    var archive = TarArchive()
                    archive.add("config.json", contents: configuration)
                    archive.add("layer.tar", contents: layer)
                    archive.add("way", .symbolicLink, link: "/etc/passwd")
                    archive.add("manifest.json", text: manifest)
                    return try TemporaryFile(containing: archive.complete)
                }
                let table: [(String, [UInt8])] = [
                    (#"[{"Config":"../../../etc/passwd","RepoTags":["h:1"],"Layers":["layer.tar"]}]"#, configuration),
                    (#"[{"Config":"config.json","RepoTags":["h:1"],"Layers":["/etc/passwd"]}]"#, configuration),
                    (#"[{"Config":"config.json","RepoTags":["h:1"],"Layers":["way"]}]"#, configuration),
                    (#"[{"Config":"config.json","RepoTags":["h:1"],"Layers":[]}]"#, configuration),
                    (#"[{"Config":"config.json","RepoTags":["h:1"],"Layers":["layer.tar"]}]"#, wrong),
                    (#"[{"Config":"layer.tar","RepoTags":["h:1"],"Layers":["layer.tar"]}]"#, configuration),
                    (#"[{"Config":"config.json","RepoTags":["UPPER/../x"],"Layers":["layer.tar"]}]"#, configuration),
                    (#"{"not":"a list"}"#, configuration), ("[", configuration),
                ]
                for (manifest, configuration) in table {
                    let result = try daemon.run(.masu, "load", "-i", try archive(manifest, configuration).path)
                    #expect(result.code == 1, "\(manifest): \(result)")
                    #expect(!result.errors.isEmpty)
                }
                try daemon.expectFootprint(before)
                #expect(daemon.files(below: "data/content") == blobs, "blobs stay behind")
            }
        }

        @Test("a sparse file of 10 GiB takes no 10 GiB")
        func sparse() throws {
            try withDaemon { daemon in
                let script = "truncate -s 10G big; tar --sparse -cf sparse.tar big; rm big; stat -c %s sparse.tar"
                let made = try Command("/bin/sh", "-c", "cd \(daemon.root) && \(script)").runToEnd()
                try #require(made.code == 0, "\(made)")
                let before = try freeSpace(daemon.root)
                let result = try daemon.run(.masu, "import", daemon.root + "/sparse.tar", "sparse")
                let taken = before - (try freeSpace(daemon.root))
                #expect(taken < 1 << 30, "it took \(taken >> 20) MiB")
                if result.code == 0 {
                    try daemon.ok(.masu, "rmi", "sparse")
                } else {
                    #expect(!result.errors.isEmpty)
                }
                // The same size without holes to skip: an entry that claims 10 GiB and ends at once.
                var lying = TarArchive()
                lying.add("big", size: 10 << 30)
                #expect(try importing(daemon, lying.complete).code == 1)
            }
        }

        private func freeSpace(_ path: String) throws -> Int {
            sync()
            var status = statvfs()
            guard statvfs(path, &status) == 0 else { throw Command.Failure(description: "statvfs \(path)") }
            return Int(status.f_bavail) * Int(status.f_frsize)
        }

        @Test("a full disk during import is said, and the space is given back", arguments: Client.available)
        func fullDisk(_ client: Client) throws {
            try PrivateNetwork().enter { try fillDisk(client) }
        }

        /// A data root on a small tmpfs, in the directory that the guardian of the daemon takes away.
        private func fillDisk(_ client: Client) throws {
            let place = try TestDaemon()
            defer { place.destroy() }
            try place.stop()
            try FileManager.default.createDirectory(atPath: place.dataRoot, withIntermediateDirectories: true)
            try FileManager.default.removeItem(atPath: place.dataRoot)
            mkdir(place.dataRoot, 0o711)
            try #require(mount("tmpfs", place.dataRoot, "tmpfs", 0, "size=24m") == 0)
            try place.start()
            try place.importBusybox()
            let before = try place.footprint()
            let free = try freeSpace(place.dataRoot)
            var archive = TarArchive()
            for index in 0..<8 {
                archive.add("big\(index)", contents: [UInt8](repeating: UInt8(index + 1), count: 5 << 20))
            }
            let file = try TemporaryFile(containing: archive.complete)
            let result = try place.run(client, "import", file.path, "toobig")
            #expect(result.code == 1, "\(result)")
            #expect(result.errors.lowercased().contains("no space left on device"), "\(result)")
            try place.expectFootprint(before)
            #expect(free - (try freeSpace(place.dataRoot)) < 1 << 20, "the space is given back")
            #expect(try place.ok(client, "run", "--rm", "busybox", "echo", "works on") == "works on")
            let written = try place.run(
                client, "run", "--name", "filler", "busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M")
            #expect(written.errors.contains("No space left on device"), "\(written)")
            #expect(try place.ok(client, "rm", "filler") == "filler")
            #expect(try place.ok(client, "run", "--rm", "busybox", "echo", "and on") == "and on")
            try place.stop()
            umount2(place.dataRoot, Int32(MNT_DETACH))
        }
    }
}
