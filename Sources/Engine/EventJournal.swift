import JSON
import LinuxKernel
import Logging
import OCISpec
import SystemPackage

/// The newest events in a file, from which the next daemon learns them, however this one ends.
///
/// Each event is one line of JSON and one `write`. A kill cannot part it, and the page cache survives the process, so
/// nothing is flushed. The file is below the exec root, which on most machines is in memory: after a reboot there are
/// no past events, like no containers that run.
struct EventJournal {
    /// The file may have this many lines and bytes before it is written anew with the newest events alone.
    static let lineLimit = 1024
    static let byteLimit = 4 << 20
    /// What it keeps of them then.
    static let kept = (lines: EventHub.memory, bytes: 1 << 20)

    private let path: FilePath
    private let logger: Logger
    /// `nil` after a write that failed: the daemon can do without.
    private var file: FileDescriptor?
    private var lines = 0
    private var bytes = 0
    /// The newest events, and up to as many older ones.
    private var recent: [EngineEvent] = []

    /// Reads what is in the file and opens it for more. A line that is not an event (the end of one, after a machine
    /// lost its power) counts for nothing.
    init(_ path: FilePath, logger: Logger) {
        self.path = path
        self.logger = logger
    }

    /// The events of earlier daemons, oldest first. Call once, before anything is added.
    mutating func open() -> [EngineEvent] {
        var past: [EngineEvent] = []
        do {
            // A larger file is none that this program wrote.
            let text = Files.exists(path) ? try Files.read(path, limit: 4 * Self.byteLimit) : []
            past = text.split(separator: UInt8(ascii: "\n")).compactMap { EngineEvent(line: $0) }
        } catch {
            logger.warning("cannot read the past events in \(path): \(error)")
        }
        recent = past.suffix(Self.kept.lines)
        rewrite()
        return past
    }

    /// Adds an event.
    mutating func append(_ event: EngineEvent) {
        guard let file else { return }
        if recent.count >= 2 * Self.kept.lines { recent.removeFirst(recent.count - Self.kept.lines) }
        recent.append(event)
        if lines >= Self.lineLimit || bytes >= Self.byteLimit { return rewrite() }
        let line = event.line
        do {
            try file.writeEntire(line)
            lines += 1
            bytes += line.count
        } catch {
            give(up: error)
        }
    }

    /// Puts the newest events into a new file in the place of this one.
    private mutating func rewrite() {
        var kept: [[UInt8]] = []
        var size = 0
        for event in recent.suffix(Self.kept.lines).reversed() {
            let line = event.line
            if size + line.count > Self.kept.bytes { continue }
            size += line.count
            kept.append(line)
        }
        do {
            try close()
            try Files.replace(path, with: Array(kept.reversed().joined()), mode: 0o600)
            file = try Files.open(path, [.writeOnly, .append, .closeOnExec])
            (lines, bytes) = (kept.count, size)
        } catch {
            give(up: error)
        }
    }

    private mutating func close() throws(Errno) {
        guard let old = file else { return }
        file = nil
        do { try old.close() } catch let error as Errno { throw error } catch { throw .ioError }
    }

    private mutating func give(up error: any Error) {
        logger.error("cannot keep events in \(path): the next daemon will not know those from now on: \(error)")
        recent = []
        // What there is in the file stays true; a descriptor that cannot be closed cannot be helped.
        try? close()
    }
}

extension EngineEvent {
    /// The event as one line, newline included.
    fileprivate var line: [UInt8] {
        var names = JSONObject()
        for (name, value) in attributes { names[name] = .string(value) }
        let value: JSONValue = [
            "time": .int(time.nanosecondsSinceEpoch), "type": .string(kind.rawValue), "action": .string(action),
            "id": .string(actorID), "attributes": .object(names),
        ]
        return value.serialized() + [UInt8(ascii: "\n")]
    }

    /// The event that a line spells; `nil` if it spells none.
    fileprivate init?(line: ArraySlice<UInt8>) {
        // A broken line is passed over: see `EventJournal.init`.
        guard let value = try? JSON.parse(line), let nanoseconds = value["time"]?.int,
            let kind = value["type"]?.string.flatMap(Kind.init(rawValue:)), let action = value["action"]?.string,
            let id = value["id"]?.string, let names = value["attributes"]?.object
        else { return nil }
        var attributes: [String: String] = [:]
        for (name, value) in names { attributes[name] = value.string }
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(
            kind: kind, action: action, actorID: id, attributes: attributes,
            time: Timestamp(seconds: seconds, nanoseconds: Int32(rest)))
    }
}
