import Engine
import GRDB
import OCISpec
import PublishedPorts
import Testing
import Text

@Suite("Lists of containers and events") struct ContainerListTests {
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

    @Test("past events come first, and an end in the past ends the stream")
    func eventHub() async throws {
        let hub = EventHub()
        let start = Timestamp.now()
        for number in 0..<300 { hub.publish(EngineEvent(kind: .container, action: "start", actorID: "\(number)")) }
        let filter = EventFilter()
        var ids: [String] = []
        for await event in hub.listen(filter: filter, since: start, until: .now()) { ids.append(event.actorID) }
        #expect(ids == (44..<300).map { "\($0)" })
        let live = hub.listen(filter: filter, since: nil, until: nil)
        hub.publish(EngineEvent(kind: .container, action: "die", actorID: "x"))
        hub.close()
        var actions: [String] = []
        for await event in live { actions.append(event.action) }
        #expect(actions == ["die"])
    }

    @Test(
        "names are checked",
        arguments: [("web", true), ("/web", true), ("a", false), ("-a", false), ("a b", false), ("é1", false)])
    func names(_ name: String, _ isValid: Bool) {
        #expect(((try? ContainerNames.validated(name)) != nil) == isValid)
        #expect((try? ContainerNames.validated(ContainerNames.random())) != nil)
        #expect(RandomIdentifier.make().utf8.count == 64)
    }

    @Test("a row keeps every state")
    func rows() throws {
        let database = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        ContainerRecord.registerMigrations(in: &migrator)
        try migrator.migrate(database)
        let (start, end) = (Timestamp("2026-01-02T03:04:05.000000006Z")!, Timestamp("2026-01-02T03:04:06Z")!)
        let exit = ContainerState.Exit(code: 137, startedAt: start, finishedAt: end, isOOMKilled: true, error: "x")
        let states: [ContainerState] = [
            .created(failure: nil), .created(failure: .init(exitCode: 127, message: "not found")),
            .running(.init(pid: 7, shimPID: 6, startedAt: start)),
            .running(.init(pid: 7, shimPID: 6, startedAt: start, isPaused: true, previouslyFinishedAt: end)),
            .restarting(exit), .exited(exit), .removing(nil), .dead(exit),
        ]
        var record = record()
        try database.write { try record.insert(in: $0) }
        for state in states {
            record.state = state
            record.restartCount += 1
            let stored = try database.write { [record] database in
                try record.updateState(in: database)
                return try ContainerRecord.all(in: database)
            }
            #expect(stored.map(\.state) == [state])
            #expect(stored.first?.restartCount == record.restartCount)
        }
    }
}

@Suite("Restart policy") struct RestartPolicyTests {
    @Test("the pause doubles from 100 ms to a minute and begins anew after ten seconds")
    func delays() {
        var delays: [Duration] = []
        var delay = Duration.zero
        for _ in 0..<12 {
            delay = RestartDecision.delay(after: delay, runSeconds: 0.1)
            delays.append(delay)
        }
        #expect(delays.prefix(4) == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(delays.last == .seconds(60))
        #expect(RestartDecision.delay(after: .seconds(60), runSeconds: 10) == .milliseconds(100))
    }

    @Test(
        "what ended is started again or not",
        arguments: [
            (RestartPolicy.no, 1, 0, false, false), (.always, 0, 50, false, true), (.always, 0, 0, true, false),
            (.unlessStopped, 0, 0, false, true), (.onFailure(maximumRetryCount: 0), 0, 0, false, false),
            (.onFailure(maximumRetryCount: 2), 1, 1, false, true),
            (.onFailure(maximumRetryCount: 2), 1, 2, false, false),
        ] as [(RestartPolicy, Int32, Int, Bool, Bool)])
    func decisions(_ policy: RestartPolicy, _ code: Int32, _ count: Int, _ isStopped: Bool, _ restarts: Bool) {
        #expect(
            RestartDecision.restarts(policy, exitCode: code, restartCount: count, isManuallyStopped: isStopped)
                == restarts)
    }

    @Test(
        "which containers start with the daemon",
        arguments: [
            (RestartPolicy.no, false, true, false), (.onFailure(maximumRetryCount: 0), false, true, false),
            (.always, false, true, true), (.always, true, true, true), (.always, false, false, false),
            (.unlessStopped, false, true, true), (.unlessStopped, true, true, false),
        ])
    func startsWithDaemon(_ policy: RestartPolicy, _ isStopped: Bool, _ hasRun: Bool, _ starts: Bool) {
        #expect(
            RestartDecision.startsWithDaemon(policy, isManuallyStopped: isStopped, hasRun: hasRun) == starts)
    }
}
