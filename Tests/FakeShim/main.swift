import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage

// A shim without containers, for tests of `Tasks`: it speaks `ShimProtocol` in a real bundle, its "container" is a
// process that does nothing. What it does otherwise than a good shim is said by the annotations of the specification:
//
//     fake.launch            refuse, garbage, silent, die
//     fake.<request>         silent (no answer), slow (like a shim that is stopped, until `go`), late (carried out and
//                            answered at `go`, as what an external runtime does; others are answered after it), old
//                            (as a shim of an earlier version), garbage, unknown, refuse, gone (no such process), die
//
// and by lines that a test writes into the FIFO `control` of the bundle: `exit CODE`, `quiet CODE` (the end is written
// down and nobody is told), `die`, `oom`, `exec-begin ID PID`, `exec-exit ID CODE`, `detach`, `go`, `frozen` and
// `thawed` (somebody else has done that). What it was asked, it writes into `requests`, a line for each.

/// The kinds of requests, as annotations name them.
func name(_ request: ShimRequest) -> String {
    switch request {
    case .subscribe: "subscribe"
    case .state: "state"
    case .start: "start"
    case .kill(let signal, _): "kill-\(signal.name)"
    case .pause: "pause"
    case .resume: "resume"
    case .attach: "attach"
    case .exec: "exec"
    case .execStart: "exec-start"
    case .execs: "execs"
    case .execDelete: "exec-delete"
    case .processes: "processes"
    default: "other"
    }
}

final class Client {
    let socket: FileDescriptor
    var reader = FrameReader()
    var isSubscribed = false
    /// Attached: everything comes back.
    var isRaw = false
    /// Waits for `go`.
    var isBlocked = false
    /// The requests that have no answer yet, and answers that wait for those of earlier requests.
    var answers: [(late: ShimRequest?, response: ShimResponse?)] = []

    init(_ socket: FileDescriptor) { self.socket = socket }

    func send(_ message: ShimMessage) throws { try socket.writeEntire(try MessageFraming.frame(message)) }

    func respond(_ response: ShimResponse) throws {
        answers.append((nil, response))
        try flush()
    }

    func flush() throws {
        while let response = answers.first?.response {
            answers.removeFirst()
            try send(.response(response))
        }
    }
}

/// An exec, which is no process of its own.
struct FakeExec {
    var note: JSONValue?
    var state = ExecState.created
    var isStarting = false
}

final class FakeShim {
    let bundle: FilePath
    let directory: FileDescriptor
    let annotations: [String: String]
    var clients: [Client] = []
    var child: pid_t = 0
    var life: FileDescriptor?
    var startedAt: Timestamp?
    var isPaused = false
    var execs: [String: FakeExec] = [:]

    init(_ bundle: FilePath) throws {
        self.bundle = bundle
        directory = try Files.open(bundle, [.path, .directory])
        annotations = try Spec(json: Files.read(bundle.appending(ShimBundle.specification))).annotations ?? [:]
    }

    func report(_ result: ShimLaunchResult) throws {
        try FileDescriptor.standardOutput.writeEntire(try JSON.encode(result) + [0x0A])
        try Files.open("/dev/null", .readWrite).duplicate(onto: 1)
    }

    func run() throws {
        switch annotations["fake.launch"] {
        case "refuse": return try report(.failed(ShimError(.commandNotFound, "exec: \"x\": not found")))
        case "garbage":
            try FileDescriptor.standardOutput.writeEntire(Array("}{\n".utf8))
            while true { pause() }
        case "silent": while true { pause() }
        case "die": exit(3)
        default: break
        }
        SignalSet([SIGCHLD, SIGPIPE]).block()
        let ends = try SignalSet([SIGCHLD]).makeDescriptor()
        let listener = try UnixSocket.listen(
            at: directory.procPath.appending(ShimBundle.socket), nonBlocking: true)
        mkfifo(bundle.appending("control").string, 0o600)
        let control = try Files.open(bundle.appending("control"), [.readWrite])
        try spawn()
        try report(.launched(pid: child, shimPid: getpid()))
        var text = ""
        while true {
            let watched = [ends, listener, control] + clients.map(\.socket)
            let ready = try Poll.wait(for: watched.map { ($0, .readable) })
            if !ready[0].isEmpty, case .some = try Signals.next(from: ends) {
                var status: Int32 = 0
                if waitpid(child, &status, WNOHANG) == child { try end(128 + status & 0x7F) }
            }
            // Before the orders of the test, which has closed connections before it gave those.
            for (client, events) in zip(clients, ready.dropFirst(3)) where !events.isEmpty { try serve(client) }
            if !ready[1].isEmpty { clients.append(Client(try listener.acceptConnection())) }
            if !ready[2].isEmpty {
                text += String(decoding: try control.readOnce(capacity: 4096), as: UTF8.self)
                while let newline = text.firstIndex(of: "\n") {
                    let words = text[..<newline].split(separator: " ").map(String.init)
                    text = String(text[text.index(after: newline)...])
                    try obey(words)
                }
            }
        }
    }

    /// The "container" is a cat(1) that nobody writes to: it ends with the fake shim, however that ends.
    private func spawn() throws {
        let (reading, writing) = try FileDescriptor.makePipe()
        life = writing
        defer { reading.discard() }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, reading.rawValue, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("cat"), nil]
        defer { for argument in arguments { free(argument) } }
        let result = posix_spawnp(&child, "cat", &actions, nil, &arguments, environ)
        if result != 0 { throw Errno(rawValue: result) }
    }

    private func serve(_ client: Client) throws {
        let bytes = try client.socket.readOnce(capacity: 4096)
        if bytes.isEmpty {
            clients.removeAll { $0 === client }
            return try client.socket.close()
        }
        if client.isRaw { return try client.socket.writeEntire(bytes) }
        client.reader.append(bytes)
        try answerAll(client)
    }

    private func answerAll(_ client: Client) throws {
        while !client.isBlocked, let body = try client.reader.next() {
            let request = try MessageFraming.message(ShimRequest.self, from: body)
            let name = name(request)
            // With a bundle that was deleted there is nobody to read it.
            if let log = try? Files.open(bundle.appending("requests"), [.writeOnly, .create, .append], mode: 0o600) {
                try log.writeEntire(Array((name + "\n").utf8))
                try log.close()
            }
            switch annotations["fake." + name] {
            case "silent":
                if case .execStart(let id) = request { execs[id]?.isStarting = true }
                continue
            case "garbage": try client.socket.writeEntire([0xFF, 0xFF, 0xFF, 0xFF] + Array("garbage".utf8))
            case "unknown":
                let body = Array(#"{"event":{"neverHeardOf":{}}}"#.utf8)
                try client.socket.writeEntire([0, 0, 0, UInt8(body.count)] + body)
                try client.respond(try answer(request, client))
            case "refuse": try client.respond(.failure(ShimError(.commandNotFound, "refused by the fake")))
            case "gone": try client.respond(.failure(ShimError(.notFound, "no such process")))
            case "old" where name == "execs": try client.respond(.failure(ShimError(.invalid, "not a shim message")))
            case "old":
                _ = try answer(request, client)
                try client.respond(.done)
            case "late": client.answers.append((request, nil))
            case "die": _exit(9)
            case "slow":
                client.isBlocked = true
                blocked = request
            default: try respond(request, client)
            }
        }
    }

    private var blocked: ShimRequest?

    private func respond(_ request: ShimRequest, _ client: Client) throws {
        try client.respond(try answer(request, client))
        if case .kill(let signal, _) = request, signal == .kill || signal == .terminate {
            try end(128 + signal.rawValue)
        }
        if case .attach = request { client.isRaw = true }
        if case .start = request, annotations["fake.ends"] == "at once" { try end(0) }
    }

    private func answer(_ request: ShimRequest, _ client: Client) throws -> ShimResponse {
        switch request {
        case .subscribe:
            client.isSubscribed = true
            for (id, exec) in execs {
                guard case .exited(let code, let at) = exec.state else { continue }
                try client.send(.event(.execExited(execID: id, exitCode: code, at: at)))
                execs[id] = nil
            }
            return .state(state)
        case .state: return .state(state)
        case .start:
            startedAt = .now()
            return .state(state)
        case .pause, .resume:
            if clients.contains(where: { $0.answers.contains { $0.late != nil } }) {
                return .failure(ShimError(.conflict, "it is being paused or resumed"))
            }
            return change(request)
        case .processes: return .processes([child])
        case .exec(let id, _, _, let note): execs[id] = FakeExec(note: note)
        case .execStart(let id):
            guard execs[id] != nil else { return .failure(ShimError(.notFound, id)) }
            execs[id]?.state = .running(pid: child)
            return .started(pid: child)
        case .execs:
            return .execs(
                execs.compactMap { id, exec in
                    exec.state == .created && !exec.isStarting
                        ? nil
                        : ShimExec(
                            id: id, state: exec.state, note: exec.note,
                            isStarting: exec.state == .created ? true : nil)
                })
        case .execDelete(let id):
            guard let exec = execs[id] else { return .failure(ShimError(.notFound, id)) }
            if case .running = exec.state { return .failure(ShimError(.conflict, id)) }
            if exec.state == .created, exec.isStarting { return .failure(ShimError(.conflict, id)) }
            execs[id] = nil
        default: break
        }
        return .done
    }

    private var state: ShimState {
        guard let startedAt else { return .created(pid: child) }
        return .running(pid: child, startedAt: startedAt, paused: isPaused)
    }

    private func change(_ request: ShimRequest) -> ShimResponse {
        let wanted = request == .pause
        if wanted == isPaused { return .failure(ShimError(.conflict, "it is so already")) }
        isPaused = wanted
        return .done
    }

    private func tell(_ event: ShimEvent) throws {
        for client in clients where client.isSubscribed { try client.send(.event(event, container: nil)) }
    }

    private func obey(_ words: [String]) throws {
        let number = words.count > 1 ? Int32(words[words.count - 1]) ?? 0 : 0
        switch words.first {
        case "exit": try end(number)
        case "quiet": try end(number, telling: false)
        case "die": _exit(9)
        case "oom": try tell(.outOfMemory(at: .now()))
        case "exec-begin":
            execs[words[1]]?.state = .running(pid: number)
            try tell(.execStarted(execID: words[1], pid: number))
        case "exec-exit":
            let time = Timestamp.now()
            if clients.contains(where: \.isSubscribed) {
                execs[words[1]] = nil
                try tell(.execExited(execID: words[1], exitCode: number, at: time))
            } else {
                execs[words[1]]?.state = .exited(exitCode: number, at: time)
            }
        case "frozen": isPaused = true
        case "thawed": isPaused = false
        case "detach": try tell(.detached(execID: nil))
        case "go":
            for client in clients {
                for index in client.answers.indices {
                    guard let late = client.answers[index].late else { continue }
                    client.answers[index] = (nil, change(late))
                }
                try client.flush()
            }
            for client in clients where client.isBlocked {
                client.isBlocked = false
                if let request = blocked { try respond(request, client) }
                try answerAll(client)
            }
        default: break
        }
    }

    private func end(_ code: Int32, telling: Bool = true) throws -> Never {
        kill(child, SIGKILL)
        waitpid(child, nil, 0)
        let record = ExitRecord(exitCode: code, exitedAt: .now(), pid: child, startedAt: startedAt)
        // Fails with a bundle that was deleted.
        try? Files.replace(bundle.appending(ShimBundle.exit), with: try JSON.encode(record))
        if telling { try tell(.exited(record)) }
        try? Files.remove(directory.procPath.appending(ShimBundle.socket))
        exit(0)
    }
}

let arguments = CommandLine.arguments
guard arguments.count == 4, arguments[1] == "--bundle" else { exit(2) }
if arguments[3] == "--delete" { exit(0) }
do {
    try FakeShim(FilePath(arguments[2])).run()
} catch {
    // A test that fails shows this.
    try? FileDescriptor.standardError.writeEntire(Array("fake shim: \(error)\n".utf8))
    exit(1)
}
