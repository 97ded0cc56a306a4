import Engine
import Glibc
import OCISpec
import PublishedPorts
import Testing

/// What becomes of a request to make a container.
@Suite("Creation", .enabled(if: geteuid() == 0, "unpacking an image needs root")) struct CreationTests {
    @Test("the default network is called bridge, wherever it is shown")
    func network() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await fixture.engine.create(ContainerConfiguration(image: "box"), name: nil).id
        let details = try await fixture.engine.inspect(id)
        #expect(details.host.networkMode == .network("bridge") && details.networks.map(\.network) == ["bridge"])
        var options = ListOptions()
        options.all = true
        #expect(try await fixture.engine.list(options).map(\.networkMode) == ["bridge"])
    }

    @Test("the manifest of the image is shown with the container")
    func imageManifest() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await fixture.engine.create(ContainerConfiguration(image: "box"), name: nil).id
        let manifest = try await fixture.engine.inspect(id).imageManifest
        #expect(manifest?.platform == .host && (manifest?.size ?? 0) > 0)
        var options = ListOptions()
        options.all = true
        #expect(try await fixture.engine.list(options).map(\.imageManifest) == [manifest])
    }

    @Test("an empty command is taken; that there is no such program is for the start to say")
    func emptyCommand() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        var wanted = ContainerConfiguration(image: "box")
        wanted.command = [""]
        let id = try await fixture.engine.create(wanted, name: nil).id
        #expect(try await fixture.engine.inspect(id).configuration.command == [""])
    }

    @Test("an image for another platform counts as not found, which makes clients pull the right one")
    func platform() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let wanted = try Platform(parsing: "linux/s390x")
        let refusal = await #expect(throws: EngineError.self) {
            try await fixture.engine.create(ContainerConfiguration(image: "box"), name: nil, platform: wanted)
        }
        #expect(refusal?.kind == .notFound)
        #expect(
            refusal?.message
                == "image with reference box was found but its platform (\(Platform.host)) does not match the specified platform (linux/s390x)"
        )
        _ = try await fixture.engine.create(ContainerConfiguration(image: "box"), name: nil, platform: .host)
    }

    @Test("a joined container that is not there is a wrong request, no missing image")
    func unknownContainer() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        var wanted = ContainerConfiguration(image: "box")
        wanted.host.networkMode = .container("nope")
        await #expect(throws: EngineError(.invalid, "No such container: nope")) {
            try await fixture.engine.create(wanted, name: nil)
        }
    }

    @Test("a network that is not there is missed when the container is started")
    func unknownNetwork() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        var wanted = ContainerConfiguration(image: "box")
        wanted.host.networkMode = .network("nope")
        let id = try await fixture.engine.create(wanted, name: nil).id
        await #expect(
            throws: EngineError(.notFound, "failed to set up container networking: network nope not found")
        ) { try await fixture.engine.start(id) }
        #expect(try await fixture.engine.inspect(id).networks.map(\.network) == ["nope"])
    }

    @Test("Docker's name of the default runtime is kept, and means the default where there is no such program")
    func runtime() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        var wanted = ContainerConfiguration(image: "box")
        wanted.host.runtime = "runc"
        let id = try await fixture.engine.create(wanted, name: nil).id
        #expect(try await fixture.engine.inspect(id).host.runtime == "runc")
    }

    @Test("what an image says that means nothing is left out, with a warning")
    func imageNonsense() {
        var image = ImageProcess()
        image.stopSignal = "SIGNOPE"
        image.exposedPorts = ["80/tcp", "$PORT"]
        let merged = ContainerConfiguration(image: "box").merged(with: image)
        #expect(merged.stopSignal == nil && merged.exposedPorts == [PortRange(80)])
        image.stopSignal = "15"
        #expect(ContainerConfiguration(image: "box").merged(with: image).stopSignal?.text == "15")
    }

    @Test("labels and variables go into the log by name and by expression")
    func logAttributes() throws {
        var configuration = ContainerConfiguration(image: "box")
        configuration.labels = ["a": "1", "app.x": "2", "b": "3"]
        configuration.environment = ["PATH=/bin", "APP_MODE=x=y", "BARE"]
        let record = ContainerRecord(
            id: String(repeating: "ab", count: 32), name: "web", createdAt: .now(), imageID: "",
            configuration: configuration,
            path: "sh", arguments: [])
        var options = LogFileOptions()
        options.labels = ["a", "none"]
        options.labelsPattern = try GoRegularExpression("^app\\.")
        options.environmentPattern = try GoRegularExpression("^APP")
        options.tag = "{{.Name}}/{{.ID}}"
        #expect(
            LogAttributes.attributes(record, options: options) == [
                "a": "1", "app.x": "2", "APP_MODE": "x=y", "tag": "web/abababababab",
            ])
    }
}
