import Addresses
import DNS
import JSON
import OCISpec
import ShimProtocol
import Testing

@Suite("Shim messages")
struct MessageTests {
    private static let time = Timestamp(seconds: 1_763_711_166, nanoseconds: 123_456_789)

    static let requests: [ShimRequest] = [
        .subscribe, .state, .start, .kill(signal: .terminate), .kill(signal: .kill, all: true), .pause, .resume,
        .processes,
        .statistics, .resize(columns: 80, rows: 24), .resize(execID: "x", columns: 1, rows: 65535), .execStart(id: "x"),
        .exec(id: "x", process: Process(args: ["sh", "-c", "é\u{0}\"\\"], env: ["A=b"]), openStdin: true),
        .execState(id: "x"), .execDelete(id: "x"), .closeStdin(), .closeStdin(execID: "x"), .shutdown,
        .attach(stdin: true, stdout: true, stderr: false, detachKeys: [16, 17]),
        .attach(execID: "x", stdin: false, stdout: false, stderr: true), .update(resources: LinuxResources()),
        .attach(stdin: true, stdout: true, stderr: true, framing: .multiplexed), .create(bundle: "/run/x"), .containers,
        .resolve(by: nil), .resolve(by: resolver),
    ]

    static let resolver = ResolverConfiguration(
        networks: [.init(name: "back", namesFile: "/run/masu/networks/x/names", links: ["db": "postgres"])],
        servers: [
            .init(IPAddress(.ipv4, 0x7F00_0035), from: .host), .init(IPAddress(.ipv6, 1), from: .container),
        ],
        mayUseHost: false, keepsSingleLabels: true)

    static let messages: [ShimMessage] = [
        .response(.done), .response(.state(.created(pid: 5))), .response(.started(pid: 7)),
        .response(.state(.running(pid: 5, startedAt: time, paused: true))),
        .response(.state(.exited(ExitRecord(exitCode: 137, exitedAt: time, oomKilled: true, pid: 5, startedAt: time)))),
        .response(.execState(.created)), .response(.execState(.exited(exitCode: 3, at: time))),
        .response(.processes([1, 2, 3])), .response(.failure(ShimError(.commandNotFound, "exec: \"foo\": no"))),
        .event(.exited(ExitRecord(exitCode: 0, exitedAt: time, pid: 5))), .event(.outOfMemory(at: time)),
        .event(.execStarted(execID: "x", pid: 9)), .event(.execExited(execID: "x", exitCode: 1, at: time)),
        .event(.detached(execID: nil)), .event(.detached(execID: "x")), .event(.outOfMemory(at: time), container: "y"),
        .response(.created(pid: 3)),
        .response(.containers([ShimContainer(id: "a", state: .created(pid: 1))])),
    ]

    @Test("a request comes out as it went in", arguments: requests)
    func request(_ request: ShimRequest) throws {
        var reader = FrameReader()
        reader.append(try MessageFraming.frame(request))
        let body = try #require(try reader.next())
        #expect(try MessageFraming.message(ShimRequest.self, from: body) == request)
        #expect(try reader.next() == nil)
    }

    @Test("a container's name goes beside a request", arguments: requests)
    func address(_ request: ShimRequest) throws {
        for container in [nil, "abc"] {
            let message = AddressedRequest(request, container: container)
            let body = try MessageFraming.frame(message).dropFirst(4)
            #expect(try MessageFraming.message(AddressedRequest.self, from: body) == message)
        }
    }

    @Test("messages without a name are what versions with one container a shim send and read", arguments: requests)
    func unaddressed(_ request: ShimRequest) throws {
        #expect(try MessageFraming.frame(AddressedRequest(request)) == MessageFraming.frame(request))
        let addressed = try MessageFraming.frame(AddressedRequest(request, container: "x")).dropFirst(4)
        #expect(try MessageFraming.message(ShimRequest.self, from: addressed) == request)
    }

    @Test(
        "what an earlier version says is understood",
        arguments: [
            (
                #"{"attach":{"stdin":true,"stdout":true,"stderr":false,"detachKeys":[16]}}"#,
                .attach(stdin: true, stdout: true, stderr: false, detachKeys: [16])
            ),
            (#"{"kill":{"signal":15,"all":false}}"#, .kill(signal: .terminate)), (#"{"subscribe":{}}"#, .subscribe),
        ] as [(String, ShimRequest)])
    func earlier(_ text: String, _ request: ShimRequest) throws {
        let message = try MessageFraming.message(AddressedRequest.self, from: Array(text.utf8))
        #expect(message == AddressedRequest(request))
        let event = #"{"event":{"detached":{}}}"#
        #expect(
            try MessageFraming.message(ShimMessage.self, from: Array(event.utf8)) == .event(.detached(execID: nil)))
    }

    @Test("responses and events come out as they went in, and can be told apart", arguments: messages)
    func message(_ message: ShimMessage) throws {
        let frame = try MessageFraming.frame(message)
        #expect(try MessageFraming.message(ShimMessage.self, from: frame.dropFirst(4)) == message)
    }

    @Test("a configuration without a resolver is what earlier versions write and read")
    func resolverIsOptional() throws {
        var configuration = ShimConfiguration(id: "x")
        #expect(!String(decoding: try JSON.encode(configuration), as: UTF8.self).contains("resolver\""))
        configuration.resolver = Self.resolver
        #expect(try JSON.decode(ShimConfiguration.self, from: JSON.encode(configuration)) == configuration)
    }

    @Test("messages are cut out of a stream that comes in any portions", arguments: [1, 2, 3, 5, 7, 64, 100_000])
    func portions(_ size: Int) throws {
        var stream: [UInt8] = []
        for request in Self.requests { stream += try MessageFraming.frame(request) }
        stream += [1, 2, 3]
        var reader = FrameReader()
        var found: [ShimRequest] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            reader.append(stream[start..<min(start + size, stream.count)])
            while let body = try reader.next() {
                found.append(try MessageFraming.message(ShimRequest.self, from: body))
            }
        }
        #expect(found == Self.requests)
        #expect(
            reader.pending == [1, 2, 3], "what follows the last message is left for whoever takes the connection over")
    }

    @Test("a length beyond the limit is refused before anything is read")
    func tooLong() {
        var reader = FrameReader()
        reader.append([0xff, 0xff, 0xff, 0xff])
        #expect(throws: ShimError.self) { try reader.next() }
    }

    @Test("bytes that are no message are refused", arguments: ["", "{", "[]", "{\"fly\":{}}", "{\"kill\":{}}"])
    func malformed(_ text: String) {
        #expect(throws: ShimError.self) { try MessageFraming.message(ShimRequest.self, from: Array(text.utf8)) }
    }

    @Test("the launch's line of JSON is what the engine reads")
    func launchResult() throws {
        let success = try JSON.decode(ShimLaunchResult.self, from: Array("{\"pid\":1234,\"shimPid\":1230}".utf8))
        #expect(success == .launched(pid: 1234, shimPid: 1230))
        let failure = ShimLaunchResult.failed(ShimError(.notExecutable, "no"))
        let text = String(decoding: try JSON.encode(failure), as: UTF8.self)
        #expect(text == "{\"error\":{\"kind\":\"notExecutable\",\"message\":\"no\"}}")
        #expect(try JSON.decode(ShimLaunchResult.self, from: Array(text.utf8)) == failure)
    }
}
