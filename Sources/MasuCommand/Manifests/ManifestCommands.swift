import EngineAPIModel
import Flags
import JSON
import OCISpec
import Text

/// `masu manifest`: what registries have, and manifest lists that are made on this machine.
enum ManifestCommands {
    static var all: [Command] { [annotate, create, inspect, push, remove] }

    /// The daemon goes to the registry, and knows by itself which ones are insecure.
    static let insecure = Flag.boolean(
        "insecure", "Allow communication with an insecure registry (no effect: see the daemon's --insecure-registry)")

    /// The full name of an image, with a tag or a digest.
    static func reference(_ text: String, _ context: String = "") throws(CommandError) -> ImageReference {
        do throws(ImageReferenceError) {
            return try ImageReference(parsing: text).withDefaultTag
        } catch {
            throw CommandError(context + "\(error)")
        }
    }

    // MARK: create

    private static let amend = Flag.boolean("amend", short: "a", "Amend an existing manifest list")

    private static let create = Command(
        "create", operands: "MANIFEST_LIST MANIFEST [MANIFEST...]", arity: .atLeast(2),
        "Create a local manifest list for annotating and pushing to a registry",
        examples: [
            .init(
                "Give the images of two architectures one name",
                "masu manifest create registry.example.org/app:1 registry.example.org/app:1-amd64 "
                    + "registry.example.org/app:1-arm64")
        ],
        flags: { [amend, insecure] },
        action: { invocation in
            let name = invocation.operands[0]
            let list = try reference(name, "error parsing name for manifest list \(name): ").description
            let lists = LocalManifestLists.user
            guard !lists.has(list) || invocation.flags[amend] else {
                throw CommandError("refusing to amend an existing manifest list with no --amend flag")
            }
            let client = try DaemonClient(invocation)
            for operand in invocation.operands.dropFirst() {
                let image = try reference(operand)
                if try lists.manifest(image.description, of: list) != nil { continue }
                try lists.save(try fetchImage(image, client), in: list)
            }
            try Console.print("Created manifest list \(list)")
            return 0
        })

    /// The manifest of an image for one platform, with that platform.
    static func fetchImage(_ image: ImageReference, _ client: DaemonClient) throws -> LocalManifest {
        let (document, bytes, head) = try fetch(image.description, client)
        guard document["manifests"] == nil else { throw CommandError("\(image) is a manifest list") }
        let inspection = try client.call(
            try request("GET", image.description, "json"), as: DistributionInspection.self)
        var descriptor = self.descriptor(head, bytes)
        if let platform = inspection.platforms.first {
            descriptor["platform"] = try JSON.encodeValue(platform)
        }
        return LocalManifest(reference: image.description, descriptor: descriptor, document: bytes)
    }

    // MARK: annotate

    private static let architecture = Flag.string("arch", "Set architecture")
    private static let system = Flag.string("os", "Set operating system")
    private static let features = Flag.list("os-features", type: "strings", "Set operating system feature")
    private static let version = Flag.string("os-version", "Set operating system version")
    private static let variant = Flag.string("variant", "Set architecture variant")

    private static let annotate = Command(
        "annotate", operands: "MANIFEST_LIST MANIFEST", arity: .exactly(2),
        "Add additional information to a local image manifest",
        examples: [
            .init(
                "Say which processors an image is for",
                "masu manifest annotate --arch arm --variant v7 registry.example.org/app:1 "
                    + "registry.example.org/app:1-pi")
        ],
        flags: { [architecture, system, features, version, variant] },
        action: { invocation in
            let (target, operand) = (invocation.operands[0], invocation.operands[1])
            let list = try reference(target, "annotate: error parsing name for manifest list \(target): ").description
            let image = try reference(operand, "annotate: error parsing name for manifest \(operand): ").description
            guard var manifest = try LocalManifestLists.user.manifest(image, of: list) else {
                throw CommandError("manifest for image \(operand) does not exist in \(target)")
            }
            let flags = invocation.flags
            manifest.annotate(
                system: flags[system], architecture: flags[architecture], variant: flags[variant],
                version: flags[version],
                features: flags[features].flatMap { $0.split(separator: ",").map(String.init) })
            let platform = manifest.platform
            guard GoPlatforms.has(platform.system, platform.architecture) else {
                throw CommandError(
                    "manifest entry for image has unsupported os/arch combination: "
                        + "\(platform.system)/\(platform.architecture)")
            }
            try LocalManifestLists.user.save(manifest, in: list)
            return 0
        })

    // MARK: push

    private static let insecurePush = Flag.boolean(
        "insecure", "Allow push to an insecure registry (no effect: see the daemon's --insecure-registry)")
    private static let purge = Flag.boolean("purge", short: "p", "Remove the local manifest list after push")

    private static let push = Command(
        "push", operands: "MANIFEST_LIST", arity: .exactly(1), "Push a manifest list to a repository",
        discussion: """
            Push a local manifest list. The registry takes images of its other repositories over; images of other \
            registries have to be pushed there first.
            """,
        examples: [.init("Push a list and forget it", "masu manifest push --purge registry.example.org/app:1")],
        flags: { [insecurePush, purge] },
        action: { invocation in
            let target = try reference(invocation.operands[0])
            let manifests = try LocalManifestLists.user.manifests(target.description)
            guard !manifests.isEmpty else { throw CommandError("\(target) not found") }
            var elsewhere: [ImageReference] = []
            for manifest in manifests {
                let platform = manifest.platform
                guard !platform.system.isEmpty, !platform.architecture.isEmpty else {
                    throw CommandError(
                        "manifest \(manifest.reference) must have an OS and Architecture to be pushed to a registry")
                }
                let source = try reference(manifest.reference)
                guard source.domain == target.domain else {
                    throw CommandError(
                        "cannot use source images from a different registry than the target image: "
                            + "\(source.domain) != \(target.domain)")
                }
                if source.path != target.path { elsewhere.append(try pinned(source, manifest)) }
            }
            let client = try DaemonClient(invocation)
            for source in elsewhere {
                var copy = ManifestPush()
                copy.from = source.description
                let digest = try send(copy, to: target, client)
                try Console.print("Pushed ref \(target.name)@\(digest) with digest: \(digest)")
            }
            var list = ManifestPush()
            list.mediaType = LocalManifest.listType(of: manifests)
            list.document = String(decoding: LocalManifest.list(of: manifests), as: UTF8.self)
            try Console.print(try send(list, to: target, client))
            if invocation.flags[purge] { try LocalManifestLists.user.remove(target.description) }
            return 0
        })

    /// The image by the digest that the list names: its tag may mean another one by now.
    private static func pinned(
        _ source: ImageReference, _ manifest: LocalManifest
    ) throws(CommandError) -> ImageReference {
        let digest = manifest.descriptor["digest"]?.string ?? ""
        return try reference("\(source.name)@\(digest)", "digest parse of image \"\(source)\" failed: ")
    }

    private static func send(
        _ push: ManifestPush, to target: ImageReference, _ client: DaemonClient
    ) throws -> String {
        var request = try request("POST", target.description, "manifest")
        request.body = try JSON.encode(push)
        request.headers.append(("Content-Type", "application/json"))
        return try client.call(request, as: ImageDescriptor.self).digest
    }

    // MARK: rm

    private static let remove = Command(
        "rm", operands: "MANIFEST_LIST [MANIFEST_LIST...]", arity: .atLeast(1),
        "Delete one or more manifest lists from local storage",
        examples: [.init("Forget a list that is not to be pushed", "masu manifest rm registry.example.org/app:1")],
        action: { invocation in
            var status: Int32 = 0
            for operand in invocation.operands {
                do throws(CommandError) {
                    try LocalManifestLists.user.remove(try reference(operand).description)
                } catch {
                    Console.complain(error.message)
                    status = 1
                }
            }
            return status
        })
}

/// The operating systems and processors that Go's programs are made for: docker lets a list name no others.
package enum GoPlatforms {
    private static let architectures = [
        "darwin": "386 amd64 arm arm64", "dragonfly": "amd64", "freebsd": "386 amd64 arm arm64",
        "linux": "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x",
        "netbsd": "386 amd64 arm", "openbsd": "386 amd64 arm", "plan9": "386 amd64", "solaris": "amd64",
        "windows": "386 amd64 arm arm64",
    ]

    /// Whether there is such a combination.
    package static func has(_ system: String, _ architecture: String) -> Bool {
        architectures[system]?.split(separator: " ").contains { $0 == architecture } ?? false
    }
}
