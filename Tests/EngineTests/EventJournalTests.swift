import BlockingCalls
import Engine
import LinuxKernel
import Logging
import OCISpec
import SystemPackage
import TemporaryDirectories
import Testing

@Suite("Events of earlier daemons")
struct EventJournalTests {
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func past(_ hub: EventHub) async -> [EngineEvent] {
        var events: [EngineEvent] = []
        for await event in hub.listen(filter: EventFilter(), since: .zero, until: .now()) { events.append(event) }
        return events
    }

    @Test("a hub begins with the newest events of the one before, attributes and times included")
    func restart() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path.appending("events")
        let sent = (0..<300).map { number in
            EngineEvent(
                kind: number % 2 == 0 ? .container : .network, action: "exec_create: sh -c \"x\ny\"",
                actorID: "\(number)", attributes: ["name": "ü\"\n\u{1}", "exitCode": "3"])
        }
        do {
            let hub = EventHub(file: file, logger: quiet)
            for event in sent { hub.publish(event) }
            await hub.settle()
            // No end of any kind: the process may be killed here.
        }
        #expect(await past(EventHub(file: file, logger: quiet)) == Array(sent.suffix(256)))
        // The directory lives as long as its object.
        #expect(Files.exists(directory.path))
    }

    @Test("what the power has cut off, and what is no event, is passed over")
    func damage() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path.appending("events")
        let first = EventHub(file: file, logger: quiet)
        first.publish(EngineEvent(kind: .image, action: "pull", actorID: "a"))
        await first.settle()
        let good = try Files.readText(file)
        try directory.write("events", "\u{0}\n{}\n" + good + "\n" + good.prefix(20))
        let hub = EventHub(file: file, logger: quiet)
        hub.publish(EngineEvent(kind: .image, action: "tag", actorID: "a"))
        await hub.settle()
        let actions = await past(EventHub(file: file, logger: quiet)).map(\.action)
        #expect(actions == ["pull", "tag"])
        #expect(Files.exists(directory.path))
    }

    @Test("the file stays small, however many and large the events are")
    func bound() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path.appending("events")
        let hub = EventHub(file: file, logger: quiet)
        let label = String(repeating: "x", count: 10_000)
        for number in 0..<2000 {
            hub.publish(
                EngineEvent(kind: .container, action: "start", actorID: "\(number)", attributes: ["label": label]))
            if number % 10 == 0 { await hub.settle() }
            #expect(try FileStatus.of(file).size < 5 << 20)
        }
        await hub.settle()
        let kept = await past(EventHub(file: file, logger: quiet))
        #expect(kept.last?.actorID == "1999" && kept.count > 50)
        #expect(Files.exists(directory.path))
    }

    @Test("a file that cannot be written costs the next daemon the events, and nobody else")
    func unwritable() async throws {
        let directory = try TemporaryDirectory()
        let hub = EventHub(file: directory.path.appending("none/events"), logger: quiet)
        hub.publish(EngineEvent(kind: .container, action: "start", actorID: "1"))
        #expect(await past(hub).map(\.action) == ["start"])
    }

    @Test("a disk that does not answer holds up nobody, and the file has everything in order when it does")
    func slowDisk() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path.appending("events")
        let pool = BlockingPool(threads: 1, name: "test")
        let hub = EventHub(file: file, pool: pool, logger: quiet)
        let disk = Semaphore()
        pool.submit { disk.wait() }
        let sent = (0..<20).map { EngineEvent(kind: .container, action: "start", actorID: "\($0)") }
        for event in sent { hub.publish(event) }
        #expect(await past(hub) == sent)
        #expect(try Files.read(file).isEmpty)
        disk.signal()
        await hub.settle()
        #expect(await past(EventHub(file: file, logger: quiet)) == sent)
        #expect(Files.exists(directory.path))
    }

    @Test("an end alone asks for all of the past up to it")
    func untilAlone() async throws {
        let hub = EventHub()
        hub.publish(EngineEvent(kind: .container, action: "start", actorID: "1"))
        var actions: [String] = []
        for await event in hub.listen(filter: EventFilter(), since: nil, until: .now()) { actions.append(event.action) }
        #expect(actions == ["start"])
    }
}
