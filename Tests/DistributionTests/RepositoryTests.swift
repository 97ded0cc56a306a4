import Hashing
import Distribution
import FaultyRegistry
import OCISpec
import Testing

@Suite("asking registries")
struct RepositoryTests {
    private static func registries() -> Registries {
        var settings = RegistrySettings()
        settings.retries.firstDelay = .milliseconds(1)
        return Registries(settings)
    }

    private static func name(_ registry: FaultyRegistry) throws -> ImageReference {
        try ImageReference(parsing: "\(registry.domain)/app:1")
    }

    private static func digest(_ bytes: [UInt8], _ algorithm: Digest.Algorithm) -> Digest {
        ContentHasher.digest(of: bytes, algorithm)
    }

    @Test("a password is shown when it is asked for, and only then", arguments: [false, true])
    func authenticates(withTokens: Bool) async throws {
        try await FaultyRegistry.run { registry in
            try registry.add(image: [[1, 2, 3]], to: "app", as: "1")
            registry.protect("me:secret", withTokens: withTokens)
            let manifest = try await Self.registries().with(
                try Self.name(registry), .pull, credentials: .password(user: "me", password: "secret")
            ) { try await $0.manifest(.tag("1"), digest: Self.digest) }
            #expect(manifest.mediaType == MediaType.ociManifest)
            #expect(registry.asked.first?.headers.contains(name: "Authorization") == false)
            let token = registry.asked.first { $0.path.hasPrefix("/token") }?.path
            #expect(token?.contains("scope=repository%3Aapp%3Apull") == (withTokens ? true : nil))
        }
    }

    @Test("a wrong password is refused when logging in, a right one is not", arguments: [false, true])
    func logsIn(withTokens: Bool) async throws {
        try await FaultyRegistry.run { registry in
            registry.protect("me:secret", withTokens: withTokens)
            try await Self.registries().check(.password(user: "me", password: "secret"), for: registry.domain)
            let error = await #expect(throws: DistributionError.self) {
                try await Self.registries().check(.password(user: "me", password: "wrong"), for: registry.domain)
            }
            #expect(error?.reason == .unauthorized)
        }
    }

    @Test("where a registry sends us for a blob our password is not shown")
    func redirects() async throws {
        try await FaultyRegistry.run { registry in
            try await FaultyRegistry.run { other in
                let digest = registry.add(blob: [1, 2, 3])
                other.add(blob: [1, 2, 3])
                registry.protect("me:secret", withTokens: false)
                registry.redirectBlobs(to: other.domain)
                let count = Counter()
                try await Self.registries().with(
                    try Self.name(registry), .pull, credentials: .password(user: "me", password: "secret")
                ) { repository in
                    try await repository.fetch(Descriptor(mediaType: "x", digest: digest, size: 3)) { piece in
                        await count.add(piece.count)
                    }
                }
                #expect(await count.value == 3)
                #expect(other.asked.count == 1)
                #expect(other.asked.allSatisfy { !$0.headers.contains(name: "Authorization") })
            }
        }
    }

    private actor Counter {
        private(set) var value = 0

        func add(_ count: Int) { value += count }
    }

    @Test("a manifest whose bytes are not those of its digest is refused")
    func manifestDigest() async throws {
        try await FaultyRegistry.run { registry in
            let image = try registry.add(image: [[1]], to: "app", as: "1")
            let wrong = ContentHasher.digest(of: [9])
            registry.state(replacing: "app/\(wrong)", with: image.bytes)
            let name = try Self.name(registry)
            let error = await #expect(throws: DistributionError.self) {
                try await Self.registries().with(name, .pull) {
                    try await $0.manifest(.digest(wrong), digest: Self.digest)
                }
            }
            #expect(error?.reason == .wrongContent)
        }
    }

    @Test("a registry that is not there is named with what the kernel said")
    func unreachable() async throws {
        let name = try ImageReference(parsing: "127.0.0.1:9/app:1")
        let error = await #expect(throws: DistributionError.self) {
            try await Self.registries().with(name, .pull) { try await $0.tags() }
        }
        #expect(error?.message == "Get \"http://127.0.0.1:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused")
    }

    @Test("what refers to a manifest is found, also where a registry keeps that under a tag")
    func referrers() async throws {
        try await FaultyRegistry.run { registry in
            let image = try registry.add(image: [[1]], to: "app", as: "1")
            let index = Array(#"{"schemaVersion":2,"manifests":[]}"#.utf8)
            let name = try Self.name(registry)
            #expect(
                try await Self.registries().with(name, .pull) { try await $0.referrers(of: image.digest) }.manifests
                    .isEmpty)
            registry.add(manifest: index, MediaType.ociIndex, to: "app", as: "sha256-\(image.digest.encoded)")
            #expect(
                try await Self.registries().with(name, .pull) { try await $0.referrers(of: image.digest) }.manifests
                    .isEmpty)
            #expect(registry.count("GET", "manifests/sha256-") == 2)
        }
    }
}
