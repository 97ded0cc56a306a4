import Engine
import Glibc
import LinuxKernel
import OCISpec
import Testing

@Suite("Engine", .enabled(if: geteuid() == 0, "unpacking an image needs root")) struct EngineTests {
    private func configuration(_ change: (inout ContainerConfiguration) -> Void = { _ in }) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "box")
        change(&configuration)
        return configuration
    }

    private func error(_ body: () async throws -> Void) async -> EngineError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? EngineError
        }
    }

    @Test("a container is found by its id, the beginning of that, and its name")
    func resolution() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        let id = try await engine.create(configuration(), name: "web-1").id
        for name in [id, String(id.prefix(12)), "web-1", "/web-1"] {
            #expect(try await engine.inspect(name).id == id)
        }
        try await engine.rename("web-1", to: "/web-2")
        #expect(await error { _ = try await engine.inspect("web-1") } == .noSuchContainer("web-1"))
        #expect(try await engine.inspect("web-2").name == "web-2")
    }

    @Test("a taken name is a conflict in Docker's words, and free again after the removal")
    func names() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        let id = try await engine.create(configuration(), name: "web").id
        let conflict = await error { _ = try await engine.create(configuration(), name: "web") }
        #expect(
            conflict
                == EngineError(
                    .conflict,
                    "Conflict. The container name \"/web\" is already in use by container \"\(id)\". You have to "
                        + "remove (or rename) that container to be able to reuse that name."
                ))
        try await engine.remove("web")
        #expect(try await engine.create(configuration(), name: "web").id != id)
    }

    @Test("a link leads to the same container after that has got another name, and is not shown once it is gone")
    func links() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        let db = try await engine.create(configuration(), name: "db").id
        _ = try await engine.create(configuration { $0.host.networkMode = .container("db") }, name: "beside")
        let wanted = ["db", "db:data", "/db:/other/shown", "\(db.prefix(12)):by-id", "beside:neighbour"]
        _ = try await engine.create(configuration { $0.host.links = wanted }, name: "web")
        let aliases = ["db", "data", "shown", "by-id", "neighbour"]
        #expect(try await engine.inspect("web").links == aliases.map { ContainerLink(to: "db", as: $0) })
        try await engine.rename("db", to: "database")
        #expect(try await engine.inspect("web").links == aliases.map { ContainerLink(to: "database", as: $0) })
        try await engine.remove("beside")
        try await engine.remove("database")
        #expect(try await engine.inspect("web").links == [])
    }

    @Test(
        "a link that cannot be is refused when the container is made",
        arguments: [
            ("nobody:x", "could not get container for nobody: No such container: nobody"),
            ("", "empty string specified for links"), ("a:b:c", "bad format for links: a:b:c"),
            (":x", "bad format for links: :x"), ("a:", "bad format for links: a:"),
            ("/:/x/y", "bad format for links: /:/x/y"), ("/a:/", "bad format for links: /a:/"),
            (
                "host:x",
                "conflicting options: host type networking can't be used with links. This would result in undefined "
                    + "behavior"
            ),
        ])
    func refusedLinks(_ link: String, _ message: String) async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        _ = try await engine.create(configuration { $0.host.networkMode = .host }, name: "host")
        let before = try fixture.leftovers()
        let failure = await error {
            _ = try await engine.create(configuration { $0.host.links = [link] }, name: "web")
        }
        #expect(failure == EngineError(.invalid, message))
        #expect(try fixture.leftovers() == before)
    }

    @Test("what the image and the daemon decide is filled in")
    func defaults() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        let id = try await engine.create(configuration { $0.host.resources.memory = 64 << 20 }, name: nil).id
        let details = try await engine.inspect(id)
        #expect(details.path == "x" && details.arguments.isEmpty)
        #expect(details.configuration.hostname == String(id.prefix(12)))
        #expect(details.host.resources.memorySwap == 128 << 20)
        #expect(details.host.log.driver == .jsonFile)
        #expect(details.host.runtime == "masu" && details.host.ipcMode == .private)
        #expect(details.state.status == .created && details.name.contains("_"))
    }

    @Test(
        "a refused creation leaves nothing behind",
        arguments: [
            ("no such user", "unable to find user nope: no matching entries in passwd file"),
            ("no such image", "No such image: nope:latest"), ("no command", "no command specified"),
            ("no such container", "No such container: nope"), ("bad name", "Invalid container name"),
        ])
    func refusedCreation(_ kind: String, _ message: String) async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let failure = await error {
            var wanted = configuration()
            switch kind {
            case "no such user": wanted.user = "nope"
            case "no such image": wanted.image = "nope"
            case "no command": wanted.entrypoint = [""]
            case "no such container": wanted.host.networkMode = .container("nope")
            default: break
            }
            _ = try await fixture.engine.create(wanted, name: kind == "bad name" ? "!" : "web")
        }
        #expect(failure?.message.hasPrefix(message) ?? false, "\(String(describing: failure))")
        #expect(try fixture.leftovers().isEmpty)
        _ = try await fixture.engine.create(configuration(), name: "web")
    }

    @Test(
        "a refused start is told and recorded with its exit code",
        arguments: [("commandNotFound", 127), ("notExecutable", 126), ("system", 128)] as [(String, Int32)])
    func refusedStart(_ kind: String, _ code: Int32) async throws {
        let fixture = try await EngineFixture(refusal: #"{"kind":"\#(kind)","message":"told so"}"#)
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        let id = try await engine.create(configuration(), name: nil).id
        let failure = await error { try await engine.start(id) }
        #expect(failure?.message.contains("told so") ?? false)
        #expect(failure?.kind == (code == 128 ? .system : .invalid))
        let state = try await engine.inspect(id).state
        #expect(state.status == .created && state.exitCode == code && state.error.contains("told so"))
        let bundles = try fixture.leftovers().count
        #expect(bundles == 3)  // The row, the snapshot, the files; no bundle.
        try await engine.remove(id)
        #expect(try fixture.leftovers().isEmpty)
    }

    @Test("with --rm a refused start removes the container, and whoever waits for that is told")
    func refusedStartWithRemoval() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await fixture.engine.create(configuration { $0.host.autoRemove = true }, name: nil).id
        let removed = try await fixture.engine.wait(id, condition: .removed)
        let stream = try await fixture.engine.attach(id, options: AttachOptions())
        #expect(await error { try await fixture.engine.start(id) }?.kind == .invalid)
        _ = try await removed.result()
        #expect(try await stream.connection() == nil)
        #expect(try fixture.leftovers().isEmpty)
    }

    @Test("operations that need a running container say so")
    func notRunning() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let engine = fixture.engine
        let id = try await engine.create(configuration(), name: "web").id
        #expect(try await !engine.stop("web"))
        #expect(
            await error { try await engine.kill("web") } == EngineError(.conflict, "container \(id) is not running"),
            "the API puts \"cannot kill container: web\" before it, once")
        #expect(
            await error { try await engine.pause("web") } == EngineError(.conflict, "container \(id) is not running"))
        #expect(
            await error { _ = try await engine.createExec("web", ExecConfiguration(command: ["ls"])) }
                == EngineError(.conflict, "container \(id) is not running"))
        #expect(await error { _ = try await engine.inspectExec("abc") } == .noSuchExec("abc"))
        #expect(try await engine.wait("web", condition: .notRunning).result() == WaitResult(exitCode: 0))
    }

    @Test("containers come back with the next engine, and strays go")
    func recovery() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await fixture.engine.create(configuration(), name: "web").id
        let stray = String(repeating: "a", count: 64)
        for place in ["data/containers/", "run/containers/"] { try fixture.directory.write(place + stray + "/x", "") }
        try fixture.engine.images.snapshotter.prepare(stray, parent: nil)
        let next = try fixture.restarted()
        try await next.recover()
        #expect(try await next.inspect("web").id == id)
        #expect(try fixture.leftovers().filter { $0 == stray }.isEmpty)
        let aside = fixture.directory.path.appending("data/set-aside")
        let place = aside.appending(try #require(try Files.names(in: aside).first)).appending("containers")
        #expect(try Files.names(in: place) == [stray], "files of an unknown container are not deleted")
        #expect(try await next.list(ListOptions()).isEmpty)
        var all = ListOptions()
        all.all = true
        #expect(try await next.list(all).map(\.name) == ["web"])
    }

    @Test(
        "a row that cannot be read costs its own container only, which is dead, named and removable",
        arguments: [
            "configuration = '{\"image\": '", "configuration = '[]'", "arguments = 'x'", "restartCount = 'many'",
            "startedAt = x'ff'", "exitCode = 'none'",
        ])
    func damagedRow(_ damage: String) async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await fixture.engine.create(configuration(), name: "hurt").id
        let whole = try await fixture.engine.create(configuration(), name: "whole").id
        try await fixture.database.write {
            try $0.execute(sql: "UPDATE container SET \(damage) WHERE id = ?", arguments: [id])
        }
        let next = try fixture.restarted()
        try await next.recover()
        let details = try await next.inspect("hurt")
        #expect(details.id == id && details.state.status == .dead)
        #expect(details.state.error.contains("the row of the container in the database cannot be read"))
        #expect(await error { try await next.start("hurt") }?.kind == .conflict)
        #expect(try await next.inspect("whole").id == whole)
        var all = ListOptions()
        all.all = true
        #expect(try await Set(next.list(all).map(\.name)) == ["hurt", "whole"])
        try await next.remove("hurt")
        #expect(try fixture.leftovers().filter { $0 == id }.isEmpty)
        try await next.remove("whole")
    }

    @Test("a removal that was cut short is ended by the next engine, or undone where the row is still there")
    func removalCutShort() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let id = try await fixture.engine.create(configuration(), name: "web").id
        let gone = String(repeating: "b", count: 64)
        try fixture.directory.write("data/containers/\(gone).removed/x", "")
        try fixture.directory.write("data/containers/\(id)/x", "")
        try fixture.directory.rename("data/containers/\(id)", "data/containers/\(id).removed")
        let next = try fixture.restarted()
        try await next.recover()
        let files = fixture.directory.path.appending("data/containers")
        #expect(try Files.names(in: files) == [id])
        #expect(try Files.names(in: files.appending(id)) == ["x"])
        try await next.remove("web")
        #expect(try fixture.leftovers().isEmpty)
    }

    @Test("an image in use is not removed, and its events are told")
    func images() async throws {
        let fixture = try await EngineFixture()
        defer { withExtendedLifetime(fixture) {} }
        let events = try await fixture.engine.events()
        let id = try await fixture.engine.create(configuration(), name: "web").id
        #expect(await error { _ = try await fixture.engine.removeImage("box") }?.kind == .conflict)
        try await fixture.engine.remove(id)
        _ = try await fixture.engine.removeImage("box")
        await fixture.engine.shutdown()
        var actions: [String] = []
        for await event in events { actions.append(event.action) }
        #expect(actions == ["create", "destroy", "untag", "delete"])
    }
}
