import EngineAPI
import EngineAPIModel
import Images
import JSON
import OCISpec
import Testing

@Suite("images on the wire")
struct ImageWireTests {
    private static func record(_ process: ImageProcess?, created: Timestamp? = nil) throws -> ImageRecord {
        let digest = try Digest(parsing: "sha256:" + String(repeating: "a", count: 64))
        var configuration = ImageConfiguration(platform: .host, diffIDs: [])
        configuration.config = process
        configuration.created = created
        return ImageRecord(
            id: digest, manifest: digest,
            manifestDescriptor: Descriptor(mediaType: MediaType.ociManifest, digest: digest, size: 7),
            configuration: configuration, damage: nil, size: 1, storedAt: .zero, references: [], lastTaggedAt: nil)
    }

    private static func inspection(_ process: ImageProcess?, _ version: APIVersion) throws -> JSONObject {
        let details = ImageDetails(record: try record(process), driver: "overlay", driverData: [:])
        return try #require(
            try JSON.encodeValue(
                ImageInspection(details, version: version), rules: WireRules.sending(version)
            ).object)
    }

    private static let always = ["Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "User", "Volumes", "WorkingDir"]
    private static let containers = [
        "AttachStderr", "AttachStdin", "AttachStdout", "Domainname", "Hostname", "Image", "OpenStdin", "StdinOnce",
        "Tty",
    ]

    @Test(
        "the configuration of an image has the fields that clients of a version read, also where it says nothing",
        arguments: [
            (APIVersion.newest, [], false), (.v(51), always, false), (.v(50), always, false),
            (.v(49), always + containers, false),
            (.v(45), always + containers, false), (.v(44), always + containers, true),
        ] as [(APIVersion, [String], Bool)])
    func configuration(_ version: APIVersion, _ fields: [String], _ hasContainer: Bool) throws {
        for process in [nil, ImageProcess()] {
            let inspection = try Self.inspection(process, version)
            #expect(inspection["Config"]?.object?.keys.sorted() == fields.sorted())
            if fields.contains("Cmd") {
                #expect(inspection["Config"]?["Cmd"] == .null && inspection["Config"]?["User"] == .string(""))
            }
            #expect((inspection["ContainerConfig"] != nil) == hasContainer)
            #expect((inspection["Container"] == .string("")) == hasContainer)
        }
    }

    @Test("the manifest's descriptor is shown from API 1.48 on")
    func descriptor() throws {
        #expect(try Self.inspection(nil, .v(47))["Descriptor"] == nil)
        let descriptor = try #require(try Self.inspection(nil, .v(48))["Descriptor"])
        #expect(descriptor["mediaType"]?.string == MediaType.ociManifest && descriptor["size"] == .int(7))
        let summary = StoredImageSummary(record: try Self.record(nil), sharedSize: -1)
        let old = EngineAPIModel.ImageSummary(summary, containers: nil, version: .v(47))
        #expect(try JSON.encodeValue(old, rules: WireRules.sending(.v(47)))["Descriptor"] == nil)
        #expect(old.containers == -1)
        let new = EngineAPIModel.ImageSummary(summary, containers: 2, version: .newest)
        #expect(new.descriptor?.digest == summary.record.id.description && new.containers == 2)
    }

    @Test("an image that does not say when it was made has no time from API 1.44 on")
    func created() throws {
        #expect(try Self.inspection(nil, .v(43))["Created"]?.string == "0001-01-01T00:00:00Z")
        #expect(try Self.inspection(nil, .v(44))["Created"] == nil)
    }
}
