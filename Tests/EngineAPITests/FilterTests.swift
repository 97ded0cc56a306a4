import Engine
import EngineAPI
import OCISpec
import PublishedPorts
import Testing

@Suite("Filters of lists and events")
struct FilterTests {
    private func record(
        _ name: String = "web", state: ContainerState = .created(failure: nil), labels: [String: String] = [:]
    ) -> ContainerRecord {
        var configuration = ContainerConfiguration(image: "debian")
        configuration.labels = labels
        configuration.exposedPorts = [PortRange(80)]
        var record = ContainerRecord(
            id: "abc123", name: name, createdAt: .now(), imageID: "sha256:1", configuration: configuration,
            path: "sh", arguments: [])
        record.state = state
        return record
    }

    private func matches(_ filters: [String: [String]], _ record: ContainerRecord) throws -> Bool {
        try ContainerFilter(wire: FilterArguments(filters)).matches(record)
    }

    @Test("values of one filter are alternatives, filters must all match")
    func filters() throws {
        let exited = ContainerState.exited(ContainerState.Exit(code: 3, startedAt: .now(), finishedAt: .now()))
        let record = record("web-1", state: exited, labels: ["a": "1", "b": ""])
        #expect(try matches([:], record))
        #expect(try matches(["name": ["nope", "eb-"]], record))
        #expect(try matches(["name": ["^/web-1$"]], record))
        #expect(try matches(["name": ["^web-1$"], "status": ["exited"]], record))
        #expect(try !matches(["name": ["^web-1$"], "status": ["running"]], record))
        #expect(try matches(["exited": ["0", "3"]], record))
        #expect(try !matches(["exited": ["0"]], record))
        #expect(try matches(["id": ["abc"]], record))
        #expect(try matches(["label": ["a=1", "b"]], record))
        #expect(try !matches(["label": ["a=1", "c"]], record))
        #expect(try matches(["expose": ["79-81"]], record))
        #expect(try !matches(["expose": ["80/udp"]], record))
        #expect(try !matches(["expose": ["http"]], record))
        #expect(try matches(["expose": ["http", "80"]], record))
        #expect(try matches(["health": ["none"]], record))
        #expect(try !matches(["health": ["healthy"]], record))
        #expect(try matches(["is-task": ["false"]], record))
        #expect(try !matches(["is-task": ["true"]], record))
    }

    @Test("unknown filters and values are refused")
    func badFilters() {
        #expect(throws: APIError(.invalid, "invalid filter 'nope'")) {
            try ContainerFilter(wire: FilterArguments(["nope": ["1"]]))
        }
        #expect(throws: APIError.self) { try ContainerFilter(wire: FilterArguments(["status": ["nope"]])) }
        #expect(throws: APIError.self) { try ContainerFilter(wire: FilterArguments(["exited": ["x"]])) }
    }

    @Test("events are filtered by Docker's rules")
    func events() {
        let event = EngineEvent(
            kind: .container, action: "exec_create: sh -c ls", actorID: "abcdef",
            attributes: ["name": "web", "image": "debian:bookworm", "k": "v", "l": "w"])
        func matches(_ filters: [String: [String]]) -> Bool {
            EventFilter(wire: FilterArguments(filters)).matches(event)
        }
        #expect(matches([:]))
        #expect(matches(["event": ["exec_create"], "type": ["container"]]))
        #expect(!matches(["event": ["exec"]]))
        #expect(matches(["container": ["web"]]))
        #expect(matches(["container": ["abc"]]))
        #expect(matches(["image": ["debian"]]))
        #expect(matches(["label": ["k=v"]]))
        #expect(!matches(["label": ["k=w"]]))
        #expect(!matches(["type": ["image"]]))
        // Compose asks for a project's containers in this way, and must not see those of other projects.
        #expect(matches(["label": ["k=v", "l"]]))
        #expect(!matches(["label": ["k=v", "l=x"]]))
        #expect(matches(["type": ["image", "container"]]))
        #expect(matches(["nope": ["1"]]))
        #expect(!matches(["type": ["nope"]]) && !matches(["node": ["web"]]) && !matches(["volume": ["web"]]))
        #expect(matches(["scope": ["local"]]) && !matches(["scope": ["swarm"]]))
    }
}
