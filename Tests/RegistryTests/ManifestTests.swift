import Hashing
import JSON
import OCISpec
import Registry
import Testing

@Suite("Manifests, tags and referrers of a registry")
struct ManifestTests {
    @Test("a manifest is pulled by tag and digest exactly as it was pushed")
    func roundTrip() async throws {
        let registry = try TestRegistry()
        let (body, digest) = try await registry.pushImage("x", to: "app", as: "1.0")
        for reference in ["1.0", digest.description] {
            let answer = try await registry.ask(.GET, "/v2/app/manifests/\(reference)")
            #expect(answer.status == 200)
            #expect(answer.body == body)
            #expect(answer["Content-Type"] == MediaType.ociManifest)
            #expect(answer["Docker-Content-Digest"] == digest.description)
        }
        let known = try await registry.ask(
            .GET, "/v2/app/manifests/1.0", headers: [("If-None-Match", "\"\(digest)\"")])
        #expect(known.status == 304)
        #expect(try await registry.ask(.GET, "/v2/app/manifests/2.0").code == "MANIFEST_UNKNOWN")
        #expect(try await registry.ask(.GET, "/v2/other/manifests/1.0").code == "MANIFEST_UNKNOWN")
    }

    @Test(
        "what is no manifest is refused with the reason",
        arguments: [
            ("not json", "not JSON"), ("[]", "not a JSON object"), (#"{"schemaVersion":1}"#, "schemaVersion"),
            (#"{"schemaVersion":2,"mediaType":"text/plain"}"#, "Content-Type"),
            (#"{"schemaVersion":2}"#, "config is missing"),
            (#"{"schemaVersion":2,"config":{"digest":"sha256:x","size":1},"layers":[]}"#, "config"),
            (#"{"schemaVersion":2,"manifests":[]}"#, "manifests"),
        ])
    func invalid(body: String, reason: String) async throws {
        let registry = try TestRegistry()
        let answer = try await registry.ask(
            .PUT, "/v2/app/manifests/1", Array(body.utf8), headers: [("Content-Type", MediaType.ociManifest)])
        #expect(answer.status == 400)
        #expect(answer.code == "MANIFEST_INVALID")
        #expect(answer.text.contains(reason))
        #expect(try await registry.ask(.GET, "/v2/app/tags/list").status == 404)
    }

    @Test(
        "a manifest has to wait for its blobs, an index for its manifests; layers that stay elsewhere need not be there"
    )
    func completeness() async throws {
        let registry = try TestRegistry()
        let config = Array("{}".utf8)
        let layer = Array("layer".utf8)
        func manifest(_ type: String) -> [UInt8] {
            let value: JSONValue = [
                "schemaVersion": 2, "mediaType": .string(MediaType.ociManifest),
                "config": TestRegistry.descriptor(config, MediaType.ociConfiguration),
                "layers": [TestRegistry.descriptor(layer, type)],
            ]
            return Array(value.text().utf8)
        }
        let type = [("Content-Type", MediaType.ociManifest)]
        try await registry.push(config, to: "app")
        let early = try await registry.ask(.PUT, "/v2/app/manifests/1", manifest(MediaType.ociLayer), headers: type)
        #expect(early.status == 404)
        #expect(early.code == "MANIFEST_BLOB_UNKNOWN")
        #expect(early.text.contains(ContentHasher.digest(of: layer).description))
        let foreign = manifest("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
        #expect(try await registry.ask(.PUT, "/v2/app/manifests/1", foreign, headers: type).status == 201)
        let index: JSONValue = [
            "schemaVersion": 2, "mediaType": .string(MediaType.ociIndex),
            "manifests": [TestRegistry.descriptor(Array("unknown".utf8), MediaType.ociManifest)],
        ]
        let answer = try await registry.ask(
            .PUT, "/v2/app/manifests/2", Array(index.text().utf8), headers: [("Content-Type", MediaType.ociIndex)])
        #expect(answer.code == "MANIFEST_BLOB_UNKNOWN")
    }

    @Test("a manifest under the wrong digest is refused; one too large as well")
    func wrongDigest() async throws {
        let registry = try TestRegistry()
        let (body, _) = try await registry.pushImage("x", to: "app", as: "1")
        let other = ContentHasher.digest(of: [1])
        let answer = try await registry.ask(
            .PUT, "/v2/app/manifests/\(other)", body, headers: [("Content-Type", MediaType.ociManifest)])
        #expect(answer.code == "DIGEST_INVALID")
        let large = [UInt8](repeating: 0x20, count: ManifestDocument.sizeLimit + 1)
        #expect(try await registry.ask(.PUT, "/v2/app/manifests/1", large).status == 413)
    }

    @Test("tags are listed in order, in pages, and a tag that moves is one tag")
    func tags() async throws {
        let registry = try TestRegistry()
        for tag in ["b", "a", "C", "1.0"] { try await registry.pushImage(tag, to: "app", as: tag) }
        let (_, newest) = try await registry.pushImage("newest", to: "app", as: "a")
        let all = try await registry.ask(.GET, "/v2/app/tags/list")
        #expect(all.text == #"{"name":"app","tags":["1.0","C","a","b"]}"#)
        #expect(all["Link"] == nil)
        #expect(try await registry.ask(.GET, "/v2/app/manifests/a")["Docker-Content-Digest"] == newest.description)
        let page = try await registry.ask(.GET, "/v2/app/tags/list?n=2&last=1.0")
        #expect(page.json["tags"]?.text() == #"["C","a"]"#)
        #expect(page["Link"] == "</v2/app/tags/list?n=2&last=a>; rel=\"next\"")
        let none = try await registry.ask(.GET, "/v2/app/tags/list?n=0")
        #expect(none.json["tags"]?.text() == "[]")
        #expect(none["Link"] == nil)
        #expect(try await registry.ask(.GET, "/v2/app/tags/list?n=x").status == 400)
        let catalog = try await registry.ask(.GET, "/v2/_catalog")
        #expect(catalog.text == #"{"repositories":["app"]}"#)
    }

    @Test("several tags come with a push by digest")
    func tagParameters() async throws {
        let registry = try TestRegistry()
        let (body, digest) = try await registry.pushImage("x", to: "app", as: nil)
        let answer = try await registry.ask(
            .PUT, "/v2/app/manifests/\(digest)?tag=one&tag=two", body,
            headers: [("Content-Type", MediaType.ociManifest)])
        #expect(answer.headers["OCI-Tag"] == ["one", "two"])
        #expect(try await registry.ask(.GET, "/v2/app/manifests/two").body == body)
    }

    @Test("who refers to a manifest is listed, also by type, also before the manifest is there")
    func referrers() async throws {
        let registry = try TestRegistry()
        let subject = ContentHasher.digest(of: Array("to come".utf8))
        let empty = try await registry.ask(.GET, "/v2/app/referrers/\(subject)")
        #expect(empty.status == 200)
        #expect(empty["Content-Type"] == MediaType.ociIndex)
        #expect(empty.json["manifests"]?.text() == "[]")
        let (_, signature) = try await registry.pushImage(
            "signature", to: "app", as: nil, subject: subject, artifactType: "application/signature")
        let (_, plain) = try await registry.pushImage("plain", to: "app", as: nil, subject: subject)
        let all = try await registry.ask(.GET, "/v2/app/referrers/\(subject)")
        let digests = (all.json["manifests"]?.array ?? []).compactMap { $0["digest"]?.string }
        #expect(Set(digests) == [signature.description, plain.description])
        let some = try await registry.ask(
            .GET, "/v2/app/referrers/\(subject)?artifactType=application%2Fsignature")
        #expect(some["OCI-Filters-Applied"] == "artifactType")
        let entry = try #require(some.json["manifests"]?[0])
        #expect(some.json["manifests"]?.array?.count == 1)
        #expect(entry["artifactType"] == "application/signature")
        #expect(entry["annotations"]?.text() == #"{"about":"subject"}"#)
        let configured = all.json["manifests"]?.array?.first { $0["digest"]?.string == plain.description }
        #expect(configured?["artifactType"]?.string == MediaType.ociConfiguration)
        #expect(try await registry.ask(.GET, "/v2/app/referrers/nonsense").status == 400)
    }

    @Test("a tag goes alone, a manifest with its tags, and what is not there is told")
    func removal() async throws {
        let registry = try TestRegistry()
        let (_, digest) = try await registry.pushImage("x", to: "app", as: "1")
        let layer = ContentHasher.digest(of: Array("x".utf8))
        _ = try await registry.pushImage("x", to: "app", as: "2")
        #expect(try await registry.ask(.DELETE, "/v2/app/manifests/1").status == 202)
        #expect(try await registry.ask(.DELETE, "/v2/app/manifests/1").status == 404)
        #expect(try await registry.ask(.GET, "/v2/app/manifests/\(digest)").status == 200)
        #expect(try await registry.ask(.DELETE, "/v2/app/manifests/\(digest)").status == 202)
        #expect(try await registry.ask(.GET, "/v2/app/manifests/2").status == 404)
        #expect(try await registry.ask(.GET, "/v2/app/tags/list").json["tags"]?.text() == "[]")
        #expect(try await registry.ask(.DELETE, "/v2/app/blobs/\(layer)").status == 202)
        #expect(try await registry.ask(.GET, "/v2/app/blobs/\(layer)").status == 404)
        #expect(try await registry.ask(.DELETE, "/v2/app/blobs/\(layer)").code == "BLOB_UNKNOWN")
    }
}
