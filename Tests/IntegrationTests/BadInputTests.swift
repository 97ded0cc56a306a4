import Foundation
import Testing

extension Integration {
    /// What users and strangers get wrong: a clear text, the right exit code, nothing left behind.
    @Suite("bad input")
    struct BadInput {
        /// One mistake at the command line.
        struct Mistake: CustomTestStringConvertible, Sendable {
            var arguments: [String]
            var code: Int32
            /// What the message has to say; the texts on which users of docker rely.
            var says: [String]
            var testDescription: String { arguments.joined(separator: " ") }

            init(_ arguments: [String], _ code: Int32, _ says: String...) {
                self.arguments = arguments
                self.code = code
                self.says = says
            }
        }

        static let mistakes = [
            Mistake(["run", "nosuchimage", "true"], 125, "nosuchimage"),
            Mistake(
                ["run", "--rm", "busybox", "nosuchprogram"], 127,
                "exec: \"nosuchprogram\": executable file not found in $PATH"),
            Mistake(
                ["run", "--rm", "busybox", "/no/such/program"], 127, "/no/such/program", "no such file or directory"),
            Mistake(["run", "--rm", "busybox", "/etc/passwd"], 126, "/etc/passwd", "permission denied"),
            Mistake(["run", "--rm", "busybox", "/bin"], 126, "/bin"),
            Mistake(["run", "--rm", "-m", "1x", "busybox", "true"], 125, "1x"),
            Mistake(["run", "--rm", "-m", "1m", "busybox", "true"], 125, "inimum memory limit"),
            Mistake(["run", "--rm", "-u", "nosuchuser", "busybox", "true"], 125, "nosuchuser"),
            Mistake(["run", "--rm", "-u", "0:nosuchgroup", "busybox", "true"], 125, "nosuchgroup"),
            Mistake(
                ["run", "--rm", "--mount", "type=bind,source=/no/such/source,target=/x", "busybox", "true"], 125,
                "/no/such/source"),
            Mistake(["run", "--rm", "-v", "relative/../x:/x:zz", "busybox", "true"], 125, "zz"),
            Mistake(["run", "--rm", "--name", "a b", "busybox", "true"], 125, "a b"),
            Mistake(["run", "--rm", "--cap-add", "FLY", "busybox", "true"], 125, "FLY"),
            Mistake(["run", "--rm", "--ulimit", "nofile=x", "busybox", "true"], 125, "nofile"),
            Mistake(
                ["run", "--rm", "--sysctl", "kernel.domainname=x", "--uts", "host", "busybox", "true"], 125,
                "kernel.domainname"),
            Mistake(["run", "--rm", "--network", "nosuchnetwork", "busybox", "true"], 125, "nosuchnetwork"),
            Mistake(["run", "--rm", "--device", "/dev/nosuchdevice", "busybox", "true"], 127, "/dev/nosuchdevice"),
            Mistake(["run", "--restart", "sometimes", "busybox", "true"], 125, "sometimes"),
            Mistake(["run", "--rm", "--tmpfs", "/", "busybox", "true"], 125, "destination can't be '/'"),
            Mistake(["run", "--rm", "--tmpfs", "x", "busybox", "true"], 125, "mount path must be absolute"),
            Mistake(
                ["run", "--rm", "--ip", "10.0.0.2", "busybox", "true"], 125,
                "user specified IP address is supported on user defined networks only"),
            Mistake(
                ["run", "--rm", "--network-alias", "x", "busybox", "true"], 125,
                "network-scoped aliases are only supported for user-defined networks"),
            Mistake(
                ["run", "--rm", "--sysctl", "net.ipv4.conf.eth0.forwarding=1", "busybox", "true"], 125,
                "must be supplied using driver option"),
            Mistake(
                ["run", "--rm", "--privileged", "--security-opt", "writable-cgroups=false", "busybox", "true"], 125,
                "writable-cgroups=false"),
            Mistake(
                ["run", "--rm", "--security-opt", "writable-cgroups=potato", "busybox", "true"], 125,
                "writable-cgroups=potato"),
            Mistake(["run", "--no-such-flag", "busybox"], 125, "unknown flag: --no-such-flag"),
            Mistake(["run"], 1, "requires at least 1 argument"),
            Mistake(["inspect", "nosuch"], 1, "nosuch"),
            Mistake(["start", "nosuch"], 1, "nosuch"),
            Mistake(["logs", "nosuch"], 1, "No such container: nosuch"),
            Mistake(["exec", "nosuch", "true"], 1, "No such container: nosuch"),
            Mistake(["rm", "nosuch"], 1, "No such container: nosuch"),
            Mistake(["kill", "nosuch"], 1, "No such container: nosuch"),
            Mistake(["rmi", "nosuch"], 1, "No such image: nosuch"),
            Mistake(["tag", "nosuch", "other"], 1, "No such image: nosuch"),
            Mistake(["tag", "busybox", "UPPER"], 1, "invalid reference format"),
            Mistake(["nosuchcommand"], 1, "nosuchcommand"),
        ]

        @Test("each mistake has its text and its exit code, and leaves nothing")
        func mistakes() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                let before = try daemon.footprint()
                for mistake in Self.mistakes {
                    for client in Client.available {
                        let result = try daemon.command(client, mistake.arguments).runToEnd()
                        // docker pulls an image that is not there and has its own words for an unknown command.
                        if client == .docker, ["nosuchcommand", "run"].contains(mistake.arguments[0]),
                            mistake.arguments.count <= 3
                        {
                            continue
                        }
                        #expect(result.code == mistake.code, "\(client): \(result)")
                        for text in mistake.says {
                            #expect((result.errors + result.output).contains(text), "\(client): \(result)")
                        }
                        // `run` without --rm keeps a container whose command was wrong, as docker's does.
                        try daemon.removeContainers()
                    }
                }
                try daemon.expectFootprint(before)
            }
        }

        @Test("a name in use is a conflict that names both", arguments: Client.available)
        func nameConflict(_ client: Client) throws {
            try withDaemon { daemon in
                let identity = try daemon.ok(client, "create", "--name", "taken", "busybox", "true")
                let before = try daemon.footprint()
                let result = try daemon.run(client, "run", "--name", "taken", "busybox", "true")
                #expect(result.code == 125)
                #expect(
                    result.errors.contains(
                        "Conflict. The container name \"/taken\" is already in use by container \"\(identity)\""),
                    "\(result)")
                try daemon.expectFootprint(before)
            }
        }

        @Test("removing and restarting what runs is refused without -f", arguments: Client.available)
        func runningContainer(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "run", "-d", "--name", "busy", "busybox", "sleep", "100")
                let removed = try daemon.run(client, "rm", "busy")
                #expect(removed.code == 1 && removed.errors.contains("running"), "\(removed)")
                #expect(try daemon.run(client, "unpause", "busy").code == 1)
                #expect(try daemon.run(client, "start", "busy").code == 0, "starting what runs is not an error")
            }
        }

        @Test("the API answers nonsense with a JSON message and the right status")
        func badRequests() throws {
            try withDaemon { daemon in
                let before = try daemon.footprint()
                let table: [(method: String, path: String, body: String, status: Int)] = [
                    ("POST", "/v1.51/containers/create", "{", 400), ("POST", "/containers/create", "", 400),
                    ("POST", "/containers/create", "[]", 400), ("POST", "/containers/create", #"{"Image":7}"#, 400),
                    ("POST", "/containers/create", #"{"Image":"nosuch"}"#, 404),
                    ("POST", "/containers/create?name=.", #"{"Image":"busybox"}"#, 400),
                    ("POST", "/containers/create", #"{"Image":"busybox","HostConfig":{"Memory":-5}}"#, 400),
                    ("POST", "/containers/create", #"{"Image":"busybox","HostConfig":{"Binds":["nonsense"]}}"#, 400),
                    ("POST", "/containers/create?platform=linux/s390x", #"{"Image":"busybox"}"#, 404),
                    ("POST", "/containers/create?platform=/", #"{"Image":"busybox"}"#, 400),
                    ("POST", "/containers/create?name=a%00", #"{"Image":"busybox"}"#, 400),
                    ("POST", "/containers/create", #"{"Image":"busybox","WorkingDir":"/\u0000"}"#, 400),
                    ("POST", "/containers/create", #"{"Image":"busybox","HostConfig":{"Tmpfs":{".":""}}}"#, 400),
                    ("GET", "/containers/nosuch/json", "", 404), ("POST", "/containers/nosuch/start", "", 404),
                    ("GET", "/containers/json?filters=%7B", "", 400),
                    ("GET", "/containers/json?filters=%7B%22nosuch%22:%5B%22x%22%5D%7D", "", 400),
                    ("GET", "/v1.99/containers/json", "", 400), ("GET", "/v1.12/containers/json", "", 400),
                    ("GET", "/nosuchpath", "", 404),
                    ("DELETE", "/images/nosuch", "", 404), ("POST", "/exec/nosuch/start", "{}", 404),
                    ("GET", "/images/%2e%2e/json", "", 400),
                    ("POST", "/containers/create", String(repeating: "[", count: 100_000), 400),
                ]
                for request in table {
                    let answer = try daemon.http(request.method, request.path, body: request.body)
                    #expect(
                        answer.status == request.status,
                        "\(request.method) \(request.path) \(request.body.prefix(60)): \(answer)")
                    let json = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
                    #expect(
                        json?["message"] is String,
                        "\(request.method) \(request.path) \(request.body.prefix(60)): \(answer)")
                }
                #expect(try daemon.http("GET", "/_ping").body == "OK")
                try daemon.expectFootprint(before)
            }
        }
    }
}
