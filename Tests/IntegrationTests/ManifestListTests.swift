import Foundation
import Testing

extension Integration {
    @Suite("manifest lists", .enabled(if: !Programs.isReference, "of our own programs"))
    struct ManifestLists {
        /// Two images in two repositories of a registry.
        private func withImages(
            _ kind: PrivateRegistry.Kind, _ body: (TestDaemon, _ domain: String) throws -> Void
        ) throws {
            try withDaemon { daemon in
                let registry = try PrivateRegistry(kind, beside: daemon)
                for name in ["team/app:amd64", "other/app:arm"] {
                    try daemon.ok(.masu, "tag", "busybox", "\(registry.domain)/\(name)")
                    try daemon.ok(.masu, "push", "\(registry.domain)/\(name)")
                }
                try body(daemon, registry.domain)
            }
        }

        @Test(
            "a list is made of images of several repositories, annotated, pushed and pulled",
            arguments: PrivateRegistry.Kind.available, Client.available)
        func list(_ kind: PrivateRegistry.Kind, _ client: Client) throws {
            try withImages(kind) { daemon, domain in
                let (list, one, two) = ("\(domain)/team/app:1", "\(domain)/team/app:amd64", "\(domain)/other/app:arm")
                #expect(
                    try daemon.ok(client, "manifest", "create", "--insecure", list, one, two)
                        == "Created manifest list \(list)")
                let again = try daemon.run(client, "manifest", "create", "--insecure", list, one)
                #expect(again.code == 1, "\(again)")
                #expect(again.errors.contains("refusing to amend an existing manifest list with no --amend flag"))
                try daemon.ok(client, "manifest", "create", "--insecure", "--amend", list, one)
                try daemon.ok(client, "manifest", "annotate", list, two, "--arch", "arm64", "--variant", "v8")
                let wrong = try daemon.run(client, "manifest", "annotate", list, two, "--arch", "sparc")
                #expect(wrong.code == 1 && wrong.errors.contains("unsupported os/arch combination"), "\(wrong)")
                let other = try daemon.run(client, "manifest", "annotate", list, "\(domain)/none:1", "--arch", "arm")
                #expect(other.errors.contains("manifest for image \(domain)/none:1 does not exist in \(list)"))
                #expect(try daemon.ok(client, "manifest", "inspect", list).contains(#""variant": "v8""#))

                let pushed = try daemon.ok(client, "manifest", "push", "--insecure", "--purge", list)
                #expect(pushed.contains("Pushed ref \(domain)/team/app@sha256:"), "\(pushed)")
                let digest = try #require(pushed.split(separator: "\n").last)
                #expect(digest.hasPrefix("sha256:"), "\(pushed)")
                let gone = try daemon.run(client, "manifest", "push", "--insecure", list)
                #expect(gone.code == 1 && gone.errors.contains("No such manifest: \(list)"), "\(gone)")

                let remote = try daemon.ok(client, "manifest", "inspect", "--insecure", list)
                #expect(remote.contains("arm64") && remote.contains("amd64"), "\(remote)")
                #expect(remote.contains("application/vnd.oci.image.index.v1+json"), "\(remote)")
                let pulled = try daemon.ok(client, "pull", list)
                #expect(pulled.contains("Digest: \(digest)"), "\(pulled)")
            }
        }

        @Test("what one client has begun the other goes on with", arguments: Client.available, Client.available)
        func shared(_ first: Client, _ second: Client) throws {
            try withImages(.masu) { daemon, domain in
                let (list, one) = ("\(domain)/team/app:1", "\(domain)/team/app:amd64")
                try daemon.ok(first, "manifest", "create", "--insecure", list, one, "\(domain)/other/app:arm")
                for words in [[list, one], [list]] {
                    let commands = try [first, second].map { client in
                        try daemon.command(client, ["manifest", "inspect"] + words).runToEnd()
                    }
                    let documents = try commands.map { result in
                        try #require(
                            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? NSDictionary,
                            "\(result)")
                    }
                    #expect(documents[0] == documents[1])
                }
                try daemon.ok(second, "manifest", "annotate", list, one, "--os-version", "7", "--os-features", "a,b")
                let pushed = try daemon.ok(first, "manifest", "push", "--insecure", list)
                #expect(try daemon.ok(second, "manifest", "push", "--insecure", list) == pushed)
                try daemon.ok(second, "manifest", "rm", list)
                let gone = try daemon.run(first, "manifest", "rm", list)
                #expect(gone.code == 1 && gone.errors.contains("No such manifest: \(list)"), "\(gone)")
            }
        }

        @Test("a list of images of another registry is not pushed", arguments: Client.available)
        func otherRegistry(_ client: Client) throws {
            try withImages(.masu) { daemon, domain in
                let port = try LocalPort.free()
                let list = "127.0.0.1:\(port)/team/app:1"
                try daemon.ok(client, "manifest", "create", "--insecure", list, "\(domain)/team/app:amd64")
                let result = try daemon.run(client, "manifest", "push", "--insecure", list)
                #expect(result.code == 1, "\(result)")
                let text = "cannot use source images from a different registry than the target image: "
                #expect(result.errors.contains(text + "\(domain) != 127.0.0.1:\(port)"), "\(result)")
            }
        }

        @Test("a list is no image of another list, and its own registry has to have the images")
        func refusals() throws {
            try withImages(.masu) { daemon, domain in
                let (list, one) = ("\(domain)/team/app:1", "\(domain)/team/app:amd64")
                let missing = try daemon.run(.masu, "manifest", "create", list, "\(domain)/team/none:1")
                #expect(missing.code == 1 && missing.errors.contains("no such manifest: "), "\(missing)")
                try daemon.ok(.masu, "manifest", "create", list, one)
                try daemon.ok(.masu, "manifest", "push", list)
                let nested = try daemon.run(.masu, "manifest", "create", "\(domain)/team/app:2", list)
                #expect(nested.code == 1 && nested.errors.contains("\(list) is a manifest list"), "\(nested)")
                let both = try daemon.http("POST", "/distribution/\(domain)/team/app:1/manifest", body: "{}")
                #expect(both.status == 400, "\(both)")
                let type = try daemon.http(
                    "POST", "/distribution/\(domain)/team/app:1/manifest",
                    body: #"{"MediaType":"text/plain","Document":"{}"}"#)
                #expect(type.status == 400 && type.body.contains("unsupported manifest media type"), "\(type)")
            }
        }
    }
}
