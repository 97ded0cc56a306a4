import Foundation
import Testing

extension Integration {
    /// What the API answers about images, where clients of other engines look closely.
    @Suite("answers about images")
    struct ImageAnswers {
        @Test("names and platforms that make no sense are 400, and what is not there is 404")
        func statuses() throws {
            try withDaemon { daemon in
                let digest = "sha256:" + String(repeating: "0", count: 64)
                for (method, path) in [
                    ("GET", "/images/busybox:\(digest)/json"), ("DELETE", "/images/busybox:\(digest)"),
                    ("POST", "/images/busybox:\(digest)/tag?repo=x"), ("GET", "/images/UPPER/json"),
                ] {
                    let answer = try daemon.http(method, path)
                    #expect(
                        answer.status == 400 && answer.body.contains("invalid reference format"), "\(path) \(answer)")
                }
                let platform = try daemon.http("POST", "/images/create?fromImage=busybox&tag=latest&platform=foobar")
                #expect(platform.status == 400 && platform.body.contains("unknown operating system or architecture"))
                let body = #"{"Image":"busybox"}"#
                let other = try daemon.http("POST", "/containers/create?platform=linux/s390x", body: body)
                #expect(other.status == 404 && other.body.contains("does not match the specified platform"))
                #expect(try daemon.http("POST", "/containers/create?platform=foobar", body: body).status == 400)
                let removal = try daemon.http(
                    "DELETE",
                    "/images/busybox?platforms=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22s390x%22%7D")
                #expect(removal.status == 404, "\(removal)")
                #expect(try daemon.http("GET", "/images/busybox/json").status == 200)
            }
        }

        @Test("an archive is imported from a web server; one that is not there is 404, and what is no URL 400")
        func importOfURL() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "save", "-o", daemon.root + "/busybox.tar", "busybox")
                let registry = try PrivateRegistry(beside: daemon)
                // Any file of a web server will do: a blob of a registry, for one.
                try daemon.ok(.masu, "tag", "busybox", "\(registry.domain)/files:1")
                try daemon.ok(.masu, "push", "\(registry.domain)/files:1")
                let layer = try daemon.ok(.masu, "manifest", "inspect", "\(registry.domain)/files:1")
                let digests = layer.split(separator: "\"").filter { $0.hasPrefix("sha256:") }
                let url = "http://\(registry.domain)/v2/files/blobs/\(try #require(digests.last))"
                let made = try daemon.http("POST", "/images/create?fromSrc=\(url)&repo=fetched&tag=1")
                #expect(made.status == 200 && made.body.contains("Downloading from \(url)"), "\(made)")
                #expect(try daemon.ok(.masu, "run", "--rm", "fetched:1", "/bin/busybox", "echo", "here") == "here")
                #expect(
                    try daemon.ok(.masu, "image", "inspect", "-f", "{{.Comment}}", "fetched:1")
                        == "Imported from \(url)")
                let missing = try daemon.http("POST", "/images/create?fromSrc=http://\(registry.domain)/nofile.tar")
                #expect(missing.status == 404 && missing.body.contains("failed to GET"), "\(missing)")
                for source in ["/home/archive.tar", "ftp://host/x.tar", "http://"] {
                    #expect(try daemon.http("POST", "/images/create?fromSrc=\(source)").status == 400, "\(source)")
                }
            }
        }

        @Test("lists count containers from API 1.51 on, and tell the manifest's descriptor from 1.48 on")
        func listing() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "busybox", "true")
                try daemon.ok(.masu, "create", "busybox", "true")
                let new = try daemon.http("GET", "/v1.51/images/json").body
                #expect(new.contains(#""Containers":2"#) && new.contains(#""Descriptor":{"mediaType":"#), "\(new)")
                let old = try daemon.http("GET", "/v1.47/images/json").body
                #expect(old.contains(#""Containers":-1"#) && !old.contains("Descriptor"), "\(old)")
            }
        }

        @Test("events of images carry their labels, and making one is an event")
        func events() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "import", "--change", "LABEL tier=web", try Roots.busybox(), "labelled:1")
                try daemon.ok(.masu, "create", "--name", "work", "labelled:1", "true")
                try daemon.ok(.masu, "commit", "work", "committed:1")
                try daemon.ok(.masu, "rmi", "committed:1")
                let lines = try daemon.ok(
                    .masu, "events", "--since", "1", "--until", String(Int(Date().timeIntervalSince1970) + 1),
                    "--filter", "label=tier=web", "--filter", "type=image", "--format", "{{.Action}}"
                ).split(separator: "\n").map(String.init)
                #expect(lines == ["create", "tag", "import", "create", "tag", "untag", "delete"], "\(lines)")
            }
        }

        @Test("an image for another machine is taken with a warning, and its containers say why they do not start")
        func otherMachine() throws {
            try withDaemon { daemon in
                let layer = Images.layer("program", "no program of this machine")
                let text = String(decoding: try Images.configuration([layer]), as: UTF8.self)
                    .replacingOccurrences(of: "\"amd64\"", with: "\"arm64\"")
                var archive = TarArchive()
                archive.add("config.json", text: text)
                archive.add("layer.tar", contents: layer)
                archive.add(
                    "manifest.json",
                    text: #"[{"Config":"config.json","RepoTags":["strange:1"],"Layers":["layer.tar"]}]"#)
                let file = try TemporaryFile(containing: archive.complete)
                let words = "The requested image's platform (linux/arm64) does not match the detected host platform"
                let loaded = try daemon.run(.masu, "load", "-i", file.path)
                #expect(loaded.code == 0 && loaded.output.contains("WARNING: " + words), "\(loaded)")
                let created = try daemon.http("POST", "/containers/create", body: #"{"Image":"strange:1"}"#)
                #expect(created.status == 201 && created.body.contains(words), "\(created)")
                let asked = try daemon.http(
                    "POST", "/containers/create?platform=linux/arm64", body: #"{"Image":"strange:1"}"#)
                #expect(asked.status == 201 && !asked.body.contains(words), "\(asked)")
            }
        }

        @Test("info shows proxies without their passwords, from the file or from the environment")
        func proxies() throws {
            try withDaemon(
                configuration:
                    #"{"proxies":{"http-proxy":"http://me:secret@127.0.0.1:9","no-proxy":"a.test,.b.test"}}"#,
                image: false
            ) { daemon in
                let info = try daemon.http("GET", "/info").body
                #expect(info.contains(#""HttpProxy":"http://xxxxx:xxxxx@127.0.0.1:9""#), "\(info)")
                #expect(info.contains(#""NoProxy":"a.test,.b.test""#) && !info.contains("secret"))
            }
        }

        @Test("a daemon starts with an image whose configuration was emptied, names it, and removes it")
        func damaged() throws {
            try withDaemon { daemon in
                let id = try daemon.ok(
                    .masu, "import", "--change", "LABEL a=b", try Roots.busybox(), "broken:1")
                try daemon.crash()
                let blob = daemon.dataRoot + "/content/blobs/sha256/" + id.dropFirst("sha256:".count)
                try #require(truncate(blob, 0) == 0)
                try daemon.start()
                #expect(try daemon.ok(.masu, "run", "--rm", "busybox", "echo", "works") == "works")
                let list = try daemon.ok(.masu, "images", "--format", "{{.Repository}}:{{.Tag}}")
                #expect(list.contains("broken:1") && list.contains("busybox:latest"))
                let inspected = try daemon.run(.masu, "image", "inspect", "broken:1")
                #expect(inspected.code == 1 && inspected.errors.contains("image broken:1"), "\(inspected)")
                #expect(inspected.errors.contains("is damaged"), "\(inspected)")
                let checked = try daemon.run(.masu, "system", "check")
                #expect(checked.code != 0 && checked.output.contains("image broken:1"), "\(checked)")
                try daemon.ok(.masu, "rmi", "broken:1")
                #expect(try daemon.run(.masu, "system", "check").code == 0)
            }
        }
    }
}
