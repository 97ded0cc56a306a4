import Foundation
import Testing

extension Integration {
    /// Volumes as objects, without containers that have them mounted.
    @Suite("volume objects")
    struct VolumeObjects {
        @Test("volumes are made, shown, listed by filters and removed", arguments: Client.available)
        func life(_ client: Client) throws {
            try withDaemon { daemon in
                #expect(try daemon.ok(client, "volume", "create", "data") == "data")
                #expect(
                    try daemon.ok(client, "volume", "create", "--label", "tier=gold", "--label", "x", "more") == "more")
                let anonymous = try daemon.ok(client, "volume", "create")
                #expect(anonymous.count == 64)
                #expect(try daemon.ok(client, "volume", "create", "data") == "data")

                let inspected = try daemon.ok(
                    client, "volume", "inspect", "-f",
                    "{{.Name}}|{{.Driver}}|{{.Scope}}|{{.Mountpoint}}|{{json .Labels}}|{{json .Options}}", "data",
                    "more"
                ).split(separator: "\n")
                let root = "\(daemon.root)/data/volumes"
                #expect(inspected[0] == "data|local|local|\(root)/data/_data|null|null", "\(inspected)")
                #expect(inspected[1].contains(#"{"tier":"gold","x":""}"#), "\(inspected)")
                #expect(FileManager.default.fileExists(atPath: "\(root)/data/_data"))

                func names(_ filters: String...) throws -> [String] {
                    var command = daemon.command(
                        client, ["volume", "ls", "-q"] + filters.flatMap { ["--filter", $0] })
                    command.input = []
                    return try command.runToEnd().lines.sorted()
                }
                #expect(try names() == [anonymous, "data", "more"].sorted())
                #expect(try names("label=tier=gold") == ["more"])
                #expect(try names("name=at") == ["data"])
                #expect(try names("driver=none") == [])
                #expect(try names("dangling=true").count == 3)
                #expect(try names("dangling=false") == [])
                let table = try daemon.run(client, "volume", "ls").lines
                #expect(table.first == "DRIVER    VOLUME NAME" && table.contains("local     data"), "\(table)")

                let removed = try daemon.run(client, "volume", "rm", "data", "nope", "more")
                #expect(removed.code == 1 && removed.lines == ["data", "more"], "\(removed)")
                #expect(removed.errors.contains("get nope: no such volume"), "\(removed)")
                #expect(try daemon.run(client, "volume", "rm", "-f", "nope").code == 0)
                #expect(!FileManager.default.fileExists(atPath: "\(root)/data"))
                try daemon.ok(client, "volume", "rm", anonymous)
            }
        }

        @Test("prune takes anonymous volumes, with -a all, and says what that frees", arguments: Client.available)
        func prune(_ client: Client) throws {
            try withDaemon { daemon in
                for name in ["data", "more"] { try daemon.ok(client, "volume", "create", "--label", name, name) }
                let anonymous = try daemon.ok(client, "volume", "create")
                try Data(count: 1000).write(
                    to: URL(fileURLWithPath: "\(daemon.root)/data/volumes/\(anonymous)/_data/file"))
                let first = try daemon.ok(client, "volume", "prune", "-f")
                #expect(first == "Deleted Volumes:\n\(anonymous)\n\nTotal reclaimed space: 1kB", "\(first)")
                let second = try daemon.ok(client, "volume", "prune", "-a", "-f", "--filter", "label!=more")
                #expect(second.contains("data") && !second.contains("more"), "\(second)")
                let bad = try daemon.run(client, "volume", "prune", "-f", "--filter", "until=1h")
                #expect(bad.code == 1 && bad.errors.contains("invalid filter 'until'"), "\(bad)")
                try daemon.ok(client, "volume", "create")
                let system = try daemon.ok(client, "system", "prune", "-f", "--volumes")
                #expect(system.contains("Deleted Volumes:"), "\(system)")
                #expect(try daemon.ok(client, "volume", "ls", "-q") == "more")
            }
        }

        @Test("system df counts volumes and their bytes", arguments: Client.available)
        func diskUsage(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "volume", "create", "data")
                try Data(count: 5000).write(
                    to: URL(fileURLWithPath: "\(daemon.root)/data/volumes/data/_data/file"))
                let lines = try daemon.run(
                    client, "system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Reclaimable}}"
                ).lines
                #expect(lines.contains { $0.hasPrefix("Local Volumes|1|0|") && $0.hasSuffix("(100%)") }, "\(lines)")
                let verbose = try daemon.ok(client, "system", "df", "-v")
                #expect(verbose.contains("VOLUME NAME   LINKS     SIZE\ndata          0"), "\(verbose)")
            }
        }

        @Test("wrong names, options and drivers are refused in Docker's words", arguments: Client.available)
        func refusals(_ client: Client) throws {
            try withDaemon { daemon in
                for (arguments, words) in [
                    (["a"], "create a: volume name is too short, names should be at least two alphanumeric characters"),
                    (["a b"], "includes invalid characters for a local volume name"),
                    (["-o", "o=bind", "v1"], "missing required option"),
                    (["-o", "nope=1", "v1"], "create v1: invalid option: \"nope\""),
                    (["-d", "nope", "v1"], "error looking up volume plugin nope: plugin \"nope\" not found"),
                ] {
                    let result = try daemon.command(client, ["volume", "create"] + arguments).runToEnd()
                    #expect(result.code == 1 && result.errors.contains(words), "\(result)")
                }
                #expect(try daemon.ok(client, "volume", "ls", "-q") == "")
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(daemon.root)/data/volumes") == [])
            }
        }

        @Test("volumes outlive a killed daemon, and a directory that was put there becomes one")
        func recovery() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "volume", "create", "--label", "a=b", "data")
                let root = "\(daemon.root)/data/volumes"
                try daemon.crash()
                try FileManager.default.createDirectory(
                    atPath: "\(root)/restored/_data", withIntermediateDirectories: true)
                try Data("x".utf8).write(to: URL(fileURLWithPath: "\(root)/restored/_data/file"))
                try daemon.start()
                #expect(try daemon.ok(.masu, "volume", "ls", "-q") == "data\nrestored")
                #expect(try daemon.ok(.masu, "volume", "inspect", "-f", "{{.Labels.a}}", "data") == "b")
                try daemon.ok(.masu, "volume", "rm", "data", "restored")
            }
        }

        @Test("the API tells of volumes by events, and by its versions' rules of prune")
        func api() throws {
            try withDaemon { daemon in
                let made = try daemon.http("POST", "/v1.41/volumes/create", body: #"{"Name":"data"}"#)
                #expect(made.status == 201)
                #expect(
                    try daemon.http("POST", "/volumes/create", body: #"{"Name":"data","Driver":"nope"}"#).status == 404)
                #expect(try daemon.http("PUT", "/volumes/data?version=1", body: "{}").status == 503)
                #expect(try daemon.http("POST", "/v1.42/volumes/prune").body.contains(#""VolumesDeleted":[]"#))
                #expect(try daemon.http("POST", "/v1.41/volumes/prune").body.contains(#""VolumesDeleted":["data"]"#))
                #expect(try daemon.http("DELETE", "/volumes/data").status == 404)
                #expect(try daemon.http("DELETE", "/volumes/data?force=1").status == 204)
                let events = try daemon.ok(
                    .masu, "events", "--since", "1h", "--until", "0s", "--filter", "type=volume", "--format",
                    "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.driver}}")
                #expect(events.hasPrefix("create data local\nprune"), "\(events)")
                #expect(events.contains("destroy data local"), "\(events)")
            }
        }
    }
}
