import Foundation
import Testing

extension Integration {
    /// Images: in, listed, named, out.
    @Suite("images")
    struct Images {
        /// SHA-256 in hexadecimal.
        static func digest(_ bytes: [UInt8]) throws -> String {
            var command = Command("/usr/bin/sha256sum")
            command.input = bytes
            return String(try command.runToEnd().output.prefix(64))
        }

        /// A layer with one file.
        static func layer(_ name: String, _ text: String) -> [UInt8] {
            var archive = TarArchive()
            archive.add(name, text: text)
            return archive.complete
        }

        /// A configuration for layers.
        static func configuration(_ layers: [[UInt8]]) throws -> [UInt8] {
            let diffs = try layers.map { #""sha256:\#(try digest($0))""# }.joined(separator: ",")
            return Array(
                #"""
                {"architecture":"amd64","os":"linux","created":"2024-01-02T03:04:05Z","config":{"Env":["PATH=/bin","FROM=image"],"Cmd":["cat","/greeting"],"Labels":{"made":"by hand"}},"rootfs":{"type":"layers","diff_ids":[\#(diffs)]},"history":[{"created":"2024-01-02T03:04:05Z","created_by":"first"},{"created":"2024-01-02T03:04:05Z","created_by":"second"}]}
                """#.utf8)
        }

        @Test("import makes an image of a tar, --change sets its configuration", arguments: Client.available)
        func importing(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                let tar = try Roots.busybox()
                let identity = try daemon.ok(
                    client, "import", "--change", "CMD [\"echo\", \"from the image\"]", "--change", "ENV A=b", "-m",
                    "why", tar,
                    "mine:1")
                #expect(identity.hasPrefix("sha256:") && identity.count == 71)
                #expect(try daemon.ok(client, "run", "--rm", "mine:1") == "from the image")
                #expect(
                    try daemon.ok(client, "image", "inspect", "-f", "{{.Id}} {{.Os}}", "mine:1") == identity + " linux")
                #expect(try daemon.ok(client, "history", "--format", "{{.Comment}}", "mine:1") == "why")
                var command = daemon.command(client, ["import", "-", "piped"])
                command.inputFile = tar
                #expect(try command.runToEnd().code == 0)
                let images = try daemon.run(client, "images", "--format", "{{.Repository}}:{{.Tag}}").lines.sorted()
                #expect(images == ["mine:1", "piped:latest"])
            }
        }

        @Test("load takes a docker archive of two layers", arguments: Client.available)
        func loadDockerArchive(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                let base = [UInt8](FileManager.default.contents(atPath: try Roots.busybox()) ?? Data())
                let layers = [base, Images.layer("greeting", "hello from layer two\n")]
                let configuration = try Images.configuration(layers)
                var archive = TarArchive()
                archive.add("config.json", contents: configuration)
                archive.add("one/", .directory, mode: 0o755)
                archive.add("one/layer.tar", contents: layers[0])
                archive.add("two.tar", contents: layers[1])
                archive.add(
                    "manifest.json",
                    text:
                        #"[{"Config":"config.json","RepoTags":["loaded:1","loaded:2"],"Layers":["one/layer.tar","two.tar"]}]"#
                )
                let file = try TemporaryFile(containing: archive.complete)
                let result = try daemon.run(client, "load", "-i", file.path)
                #expect(result.code == 0, "\(result)")
                #expect(result.output.contains("Loaded image: loaded:1"), "\(result)")
                #expect(try daemon.ok(client, "run", "--rm", "loaded:2") == "hello from layer two")
                let digest = try Images.digest(configuration)
                #expect(try daemon.ok(client, "image", "inspect", "-f", "{{.Id}}", "loaded:1") == "sha256:" + digest)
                #expect(try daemon.run(client, "history", "-q", "loaded:1").lines.count == 2)
            }
        }

        @Test("load takes an OCI archive with a gzip layer and whiteouts", arguments: Client.available)
        func loadOCIArchive(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                let base = [UInt8](FileManager.default.contents(atPath: try Roots.busybox()) ?? Data())
                var top = TarArchive()
                top.add("greeting", text: "hello from OCI\n")
                top.add("home/.wh.guest")
                let layers = [base, top.complete]
                var gzip = Command("/bin/gzip", "-c")
                gzip.input = layers[1]
                let compressing = try gzip.start()
                _ = try compressing.waitForEnd()
                let blobs = [layers[0], compressing.output.bytes]
                let configuration = try Images.configuration(layers)
                func descriptor(_ type: String, _ bytes: [UInt8], _ more: String = "") throws -> String {
                    #"{"mediaType":"\#(type)","digest":"sha256:\#(try Images.digest(bytes))","size":\#(bytes.count)\#(more)}"#
                }
                let manifest = Array(
                    (#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":"#
                        + (try descriptor("application/vnd.oci.image.config.v1+json", configuration)) + #","layers":["#
                        + (try descriptor("application/vnd.oci.image.layer.v1.tar", blobs[0])) + ","
                        + (try descriptor("application/vnd.oci.image.layer.v1.tar+gzip", blobs[1])) + "]}").utf8)
                let index =
                    #"{"schemaVersion":2,"manifests":["#
                    + (try descriptor(
                        "application/vnd.oci.image.manifest.v1+json", manifest,
                        #","annotations":{"io.containerd.image.name":"docker.io/library/oci:1","org.opencontainers.image.ref.name":"1"}"#
                    ))
                    + "]}"
                var archive = TarArchive()
                archive.add("oci-layout", text: #"{"imageLayoutVersion":"1.0.0"}"#)
                archive.add("index.json", text: index)
                for blob in [manifest, configuration] + blobs {
                    archive.add("blobs/sha256/\(try Images.digest(blob))", contents: blob)
                }
                let file = try TemporaryFile(containing: archive.complete)
                let result = try daemon.run(client, "load", "-i", file.path)
                #expect(result.code == 0, "\(result)")
                let ran = try daemon.run(client, "run", "--rm", "oci:1", "sh", "-c", "cat /greeting; ls -A /home")
                #expect(ran.output == "hello from OCI\n", "the file below the whiteout is hidden: \(ran)")
            }
        }

        @Test("tag, list, untag, delete; an image in use stays", arguments: Client.available)
        func tagging(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "tag", "busybox", "other/name:7")
                #expect(try daemon.run(client, "images", "-q", "--no-trunc").lines.count == 2)
                #expect(try daemon.ok(client, "images", "--format", "{{.Tag}}", "other/name") == "7")
                try daemon.ok(client, "create", "--name", "user", "other/name:7", "true")
                let used = try daemon.run(client, "rmi", "busybox", "other/name:7")
                #expect(used.code == 1)
                #expect(used.errors.contains("conflict"), "\(used)")
                try daemon.ok(client, "rm", "user")
                let removed = try daemon.run(client, "rmi", "other/name:7")
                #expect(
                    removed.output.contains("Deleted: sha256:") || removed.output.contains("Untagged: other/name:7"),
                    "\(removed)")
                #expect(try daemon.run(client, "images", "-aq").lines.count <= 1)
            }
        }

        @Test("deleting the last name gives back the disk space")
        func diskSpace() throws {
            try withDaemon { daemon in
                #expect(daemon.snapshots().count > 0)
                try daemon.ok(.masu, "rmi", "busybox")
                #expect(daemon.files(below: "data/content/blobs").filter { $0.split(separator: "/").count > 4 }.isEmpty)
                // The files of layers are deleted behind the answer.
                let isEmpty = eventually {
                    daemon.snapshots().filter { $0.split(separator: "/").count > 1 && !$0.hasSuffix("/l") }.isEmpty
                }
                #expect(isEmpty, "\(daemon.snapshots())")
            }
        }

        @Test(
            "a real Debian root runs: import, packages' database, users",
            .enabled(if: Roots.debian != nil, "no Debian root in the cache and no mirror answers"),
            arguments: Client.available)
        func debian(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                try daemon.ok(client, "import", try #require(Roots.debian), "debian:bookworm")
                #expect(
                    try daemon.ok(
                        client, "run", "--rm", "debian:bookworm", "sh", "-c", ". /etc/os-release; echo $ID $VERSION_ID")
                        == "debian 12")
                let packages = try daemon.run(
                    client, "run", "--rm", "debian:bookworm", "dpkg-query", "-W", "-f", "${Package}\\n")
                #expect(packages.lines.count > 60, "\(packages)")
                #expect(
                    try daemon.ok(client, "run", "--rm", "-u", "nobody", "debian:bookworm", "id", "-un") == "nobody")
                #expect(try daemon.ok(client, "run", "--rm", "debian:bookworm", "perl", "-e", "print 6*7") == "42")
            }
        }
    }
}
