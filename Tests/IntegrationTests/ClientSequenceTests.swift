import Foundation
import Testing

extension Integration {
    /// The requests of programs that people run beside Docker, in the order in which these make them, and what they
    /// read in between. `ClientContractTests` has what they read in single answers.
    @Suite("sequences of clients")
    struct ClientSequenceTests {
        typealias Document = [String: Any]

        private func document(_ daemon: TestDaemon, _ path: String) throws -> Document {
            let answer = try daemon.http("GET", path)
            try #require(answer.status == 200, "\(path): \(answer)")
            return try #require(try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? Document)
        }

        private func list(_ daemon: TestDaemon, _ path: String) throws -> [Document] {
            let answer = try daemon.http("GET", path)
            try #require(answer.status == 200, "\(path): \(answer)")
            let value = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            return try #require((value as? [Document]) ?? (value as? Document)?["Volumes"] as? [Document])
        }

        private func value(_ document: Any?, _ path: String...) -> Any? {
            path.reduce(document) { ($0 as? Document)?[$1] }
        }

        /// Makes a container by the API; returns its id.
        private func create(_ daemon: TestDaemon, _ name: String, version: String, _ body: String) throws -> String {
            let answer = try daemon.http("POST", "/\(version)/containers/create?name=\(name)", body: body)
            try #require(answer.status == 201, "\(answer)")
            let json = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            return try #require((json as? Document)?["Id"] as? String)
        }

        private func done(_ daemon: TestDaemon, _ method: String, _ path: String, status: Int = 204) throws {
            let answer = try daemon.http(method, path)
            #expect(answer.status == status, "\(method) \(path): \(answer)")
        }

        /// The filters of a request, as they stand in its query.
        private func filters(_ filters: [String: [String]]) throws -> String {
            let json = String(decoding: try JSONSerialization.data(withJSONObject: filters), as: UTF8.self)
            return try #require(json.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        }

        /// Runs curl on the daemon's socket through a shell command.
        private func curl(_ daemon: TestDaemon, _ path: String, _ rest: String, options: String = "") throws -> String {
            let curl = try #require(Programs.find("curl"), "curl is not installed")
            return try Command(
                "/bin/sh", "-c", "\"$0\" -sN \(options) --unix-socket \"$1\" \"http://masu$2\" \(rest)", curl,
                daemon.socket, path
            ).runToEnd().output
        }

        /// Puts a file into a container as a tar archive.
        private func put(_ daemon: TestDaemon, _ version: String, _ container: String, _ file: String) throws {
            let folder = daemon.root + "/archive"
            try FileManager.default.createDirectory(atPath: folder + "/etc", withIntermediateDirectories: true)
            try Data("put\n".utf8).write(to: URL(fileURLWithPath: folder + "/etc/" + file))
            let tar = try Command("/bin/tar", "-cf", folder + ".tar", "-C", folder, "etc/" + file).runToEnd()
            try #require(tar.code == 0, "\(tar)")
            let status = try curl(
                daemon, "/\(version)/containers/\(container)/archive?path=%2F", "",
                options: "-X PUT -H 'Content-Type: application/x-tar' -T \(folder).tar -w '%{http_code}'")
            #expect(status == "200", "\(status)")
        }

        @Test(
            "Testcontainers for Java: files come before the start, ports are known right after it; Ryuk goes by labels")
        func testcontainers() throws {
            try withDaemon { daemon in
                #expect(try daemon.http("GET", "/v1.44/_ping").body == "OK")
                // Its oldest Docker is 1.6.0; the name of the operating system switches it to another way.
                let engine = try document(daemon, "/v1.44/version")["Version"] as? String
                #expect((engine?.split(separator: ".").first.flatMap { Int($0) } ?? 0) >= 2, "\(engine ?? "")")
                #expect(try document(daemon, "/v1.44/info")["OperatingSystem"] as? String != "Docker Desktop")
                #expect(try daemon.http("GET", "/v1.44/images/nothere/json").status == 404)
                let label = #""Labels":{"org.testcontainers":"true","org.testcontainers.sessionId":"s1"}"#
                for (method, path, body) in [
                    ("POST", "/v1.44/networks/create", #"{"Name":"tc-net","CheckDuplicate":true,\#(label)}"#),
                    ("POST", "/v1.44/volumes/create", #"{"Name":"tc-volume",\#(label)}"#),
                ] {
                    #expect(try daemon.http(method, path, body: body).status == 201, "\(path)")
                }
                let id = try create(
                    daemon, "tc-web", version: "v1.44",
                    """
                    {"Image":"busybox","Cmd":["sh","-c","cat /etc/put; exec sleep 1000"],"ExposedPorts":{"8080/tcp":{}},
                    \(label),"HostConfig":{"PortBindings":{"8080/tcp":[{"HostIp":"","HostPort":""}]},
                    "Binds":["\(daemon.socket):/var/run/docker.sock:rw"]}}
                    """)
                try put(daemon, "v1.44", id, "put")
                try done(daemon, "POST", "/v1.44/containers/\(id)/start")
                let inspected = try document(daemon, "/v1.44/containers/\(id)/json")
                let bindings = value(inspected, "NetworkSettings", "Ports", "8080/tcp") as? [[String: String]] ?? []
                #expect(Set(bindings.compactMap { $0["HostIp"] }) == ["0.0.0.0", "::"], "\(bindings)")
                #expect(bindings.allSatisfy { (Int($0["HostPort"] ?? "") ?? 0) > 0 }, "\(bindings)")
                #expect(value(inspected, "State", "Running") as? Bool == true)
                #expect(
                    try eventually {
                        try daemon.http("GET", "/v1.44/containers/\(id)/logs?stdout=1").body.contains("put")
                    })
                // What the client matches on where two tests want one name.
                let taken = try daemon.http(
                    "POST", "/v1.44/containers/create?name=tc-web", body: #"{"Image":"busybox","Cmd":["true"]}"#)
                #expect(taken.status == 409)
                #expect(
                    taken.body.firstMatch(of: /[Tt]he container name .* is already in use by .*/) != nil, "\(taken)")
                // Ryuk
                let wanted = try filters(["label": ["org.testcontainers=true", "org.testcontainers.sessionId=s1"]])
                let containers = try list(daemon, "/v1.44/containers/json?all=1&filters=\(wanted)")
                #expect(containers.compactMap { $0["Id"] as? String } == [id])
                #expect(containers.first?["Created"] is Int)
                try done(daemon, "DELETE", "/v1.44/containers/\(id)?force=1&v=1")
                let networks = try list(daemon, "/v1.44/networks?filters=\(wanted)")
                #expect(networks.compactMap { $0["Name"] as? String } == ["tc-net"])
                let volumes = try list(daemon, "/v1.44/volumes?filters=\(wanted)")
                #expect(volumes.compactMap { $0["Name"] as? String } == ["tc-volume"])
                let times = [networks.first?["Created"], volumes.first?["CreatedAt"]]
                #expect(
                    times.allSatisfy { ($0 as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*/) != nil },
                    "\(times)")
                try done(daemon, "DELETE", "/v1.44/networks/\(networks.first?["Id"] as? String ?? "")")
                try done(daemon, "DELETE", "/v1.44/volumes/tc-volume?force=true")
                #expect(try list(daemon, "/v1.44/images/json?filters=\(wanted)").isEmpty)
            }
        }

        @Test("act: files are put into a container that has not started, an exec's status says how a step ended")
        func act() throws {
            try withDaemon { daemon in
                #expect(try document(daemon, "/v1.44/info")["Architecture"] as? String != nil)
                let volume = try daemon.http("POST", "/v1.44/volumes/create", body: #"{"Name":"act-Build-1-env"}"#)
                #expect(volume.status == 201, "\(volume)")
                let id = try create(
                    daemon, "act-Build-1", version: "v1.44",
                    """
                    {"Image":"busybox","Entrypoint":["tail","-f","/dev/null"],"WorkingDir":"/work",
                    "HostConfig":{"Mounts":[{"Type":"volume","Source":"act-Build-1-env","Target":"/opt/hosted"}]}}
                    """)
                try put(daemon, "v1.44", id, "event")
                try done(daemon, "POST", "/v1.44/containers/\(id)/start")
                let exec = try daemon.http(
                    "POST", "/v1.44/containers/\(id)/exec",
                    body: #"{"AttachStdout":true,"AttachStderr":true,"Cmd":["sh","-c","cat /etc/event; pwd; exit 3"]}"#)
                #expect(exec.status == 201)
                let json = try JSONSerialization.jsonObject(with: Data(exec.body.utf8)) as? Document
                let execID = try #require(json?["Id"] as? String)
                let output = try curl(
                    daemon, "/v1.44/exec/\(execID)/start", "| tr -d '\\000\\001' | tr '\\n' ' '",
                    options: "-X POST -H 'Content-Type: application/json' -d '{\"Detach\":false,\"Tty\":false}'")
                #expect(output.contains("put") && output.contains("/work"), "\(output)")
                let ended = try document(daemon, "/v1.44/exec/\(execID)/json")
                #expect(ended["ExitCode"] as? Int == 3 && ended["Running"] as? Bool == false, "\(ended)")
                try done(daemon, "DELETE", "/v1.44/containers/\(id)?force=1&v=1")
                try done(daemon, "DELETE", "/v1.44/volumes/act-Build-1-env?force=1")
            }
        }

        @Test("ctop, docker-gen and Traefik: events of old versions name the container at the top")
        func oldEvents() throws {
            try withDaemon { daemon in
                let start = Int(Date().timeIntervalSince1970)
                try daemon.ok(.masu, "run", "-d", "--name", "web", "--label", "a=b", "busybox", "sleep", "1000")
                try daemon.ok(.masu, "pause", "web")
                try daemon.ok(.masu, "unpause", "web")
                try daemon.ok(.masu, "stop", "-t", "0", "web")
                let id = try daemon.ok(.masu, "inspect", "-f", "{{.Id}}", "web")
                let wanted = try filters([
                    "type": ["container"],
                    "event": ["create", "start", "health_status", "pause", "unpause", "stop", "die", "destroy"],
                ])
                func events(_ version: String) throws -> [Document] {
                    let end = Int(Date().timeIntervalSince1970) + 1
                    let answer = try daemon.http(
                        "GET", "/\(version)/events?since=\(start)&until=\(end)&filters=\(wanted)")
                    return try answer.body.split(separator: "\n").compactMap {
                        try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Document
                    }
                }
                let old = try events("v1.24")
                #expect(
                    Set(old.compactMap { $0["status"] as? String })
                        == ["create", "start", "pause", "unpause", "stop", "die"])
                #expect(old.allSatisfy { $0["id"] as? String == id && $0["from"] as? String == "busybox" })
                #expect(old.allSatisfy { value($0, "Actor", "Attributes", "a") as? String == "b" })
                let new = try events("v1.52")
                #expect(new.count == old.count && new.allSatisfy { $0["id"] == nil && $0["status"] == nil })
                #expect(new.allSatisfy { value($0, "Actor", "ID") as? String == id })
            }
        }

        @Test("dozzle, lazydocker and ctop: a stream of statistics has what rates are made of from its second line on")
        func statistics() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "busybox", "sh", "-c", "echo one; exec sleep 1000")
                let lines = try curl(daemon, "/v1.55/containers/web/stats", "| head -n 2").split(separator: "\n")
                    .map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Document }
                try #require(lines.count == 2)
                #expect(value(lines[0], "precpu_stats", "cpu_usage", "total_usage") as? Int == 0)
                #expect(value(lines[0], "precpu_stats", "system_cpu_usage") == nil)
                #expect(
                    value(lines[1], "precpu_stats", "system_cpu_usage") as? Int
                        == value(lines[0], "cpu_stats", "system_cpu_usage") as? Int)
                for line in lines {
                    #expect(value(line, "os_type") as? String == "linux" && value(line, "name") as? String == "/web")
                    #expect((value(line, "cpu_stats", "online_cpus") as? Int ?? 0) > 0)
                    #expect((value(line, "memory_stats", "usage") as? Int ?? 0) > 0)
                    #expect(value(line, "memory_stats", "stats") is Document)
                    #expect(value(line, "networks", "eth0", "rx_bytes") is Int)
                }
                let old = try document(daemon, "/v1.51/containers/web/stats?stream=0&one-shot=1")
                #expect(old["os_type"] == nil)
                // dozzle reads logs between two moments, with times; lazydocker lists processes and layers.
                let logs = try daemon.http(
                    "GET",
                    "/v1.44/containers/web/logs?stdout=1&stderr=1&timestamps=1&since=1.000000000&until=9999999999")
                #expect(logs.body.firstMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one/) != nil, "\(logs)")
                #expect(try document(daemon, "/v1.25/containers/web/top")["Titles"] is [String])
                #expect(try list(daemon, "/v1.25/images/busybox/history").first?["Id"] is String)
                // Which fields a list has, by versions.
                #expect(value(try list(daemon, "/v1.51/containers/json").first, "Health") == nil)
                #expect(
                    value(try list(daemon, "/v1.52/containers/json").first, "Health", "Status") as? String == "none")
                // The name "podman" anywhere makes Portainer and dozzle another program.
                for path in ["/version", "/info"] {
                    #expect(!(try daemon.http("GET", path).body.lowercased().contains("podman")))
                }
            }
        }

        @Test("watchtower: a container is renamed, removed and made anew on the same networks")
        func watchtower() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "network", "create", "back")
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "--network", "back", "--network-alias", "shop", "busybox",
                    "sleep", "1000")
                let old = try document(daemon, "/v1.25/containers/web/json")
                let id = try #require(old["Id"] as? String)
                #expect(value(old, "HostConfig", "Links") is NSNull)
                let endpoint = value(old, "NetworkSettings", "Networks", "back")
                #expect(value(endpoint, "NetworkID") is String && value(endpoint, "EndpointID") is String)
                try done(daemon, "POST", "/v1.25/containers/\(id)/rename?name=web-old")
                try done(daemon, "POST", "/v1.25/containers/\(id)/kill?signal=SIGKILL")
                try done(daemon, "DELETE", "/v1.25/containers/\(id)?force=1&v=0")
                var request = try #require(old["Config"] as? Document)
                request["HostConfig"] = old["HostConfig"]
                request["Hostname"] = ""
                request["NetworkingConfig"] = ["EndpointsConfig": ["back": endpoint]]
                let body = String(decoding: try JSONSerialization.data(withJSONObject: request), as: UTF8.self)
                let new = try create(daemon, "web", version: "v1.25", body)
                #expect(
                    try daemon.http(
                        "POST", "/v1.25/networks/back/disconnect", body: #"{"Container":"\#(new)","Force":true}"#
                    ).status == 200)
                #expect(
                    try daemon.http(
                        "POST", "/v1.25/networks/back/connect",
                        body: #"{"Container":"\#(new)","EndpointConfig":{"Aliases":["shop"]}}"#
                    ).status == 200)
                try done(daemon, "POST", "/v1.25/containers/\(new)/start")
                #expect(
                    try daemon.ok(.masu, "exec", "web", "nslookup", "shop", "127.0.0.11").contains("Address"))
                try daemon.ok(.masu, "rm", "-f", "web")
                try daemon.ok(.masu, "network", "rm", "back")
            }
        }

        @Test("GitLab Runner: a script comes by standard input, whose end ends the container; a helper lends volumes")
        func gitLabRunner() throws {
            try withDaemon { daemon in
                let image = try #require(try document(daemon, "/v1.44/images/busybox/json")["Id"] as? String)
                let volume = try daemon.http("POST", "/v1.44/volumes/create", body: #"{"Name":"runner-cache"}"#)
                #expect(volume.status == 201, "\(volume)")
                let helper = try create(
                    daemon, "helper", version: "v1.44",
                    #"{"Image":"\#(image)","Cmd":["true"],"HostConfig":{"Binds":["runner-cache:/builds"]}}"#)
                let job = try create(
                    daemon, "job", version: "v1.44",
                    """
                    {"Image":"\(image)","Cmd":["sh"],"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,
                    "OpenStdin":true,"StdinOnce":true,"HostConfig":{"VolumesFrom":["\(helper)"],
                    "LogConfig":{"Type":"json-file"}},"NetworkingConfig":{"EndpointsConfig":{"default":{}}}}
                    """)
                let script = Array("echo hi >/builds/x; exit 4".utf8)
                let started = try daemon.command(.masu, ["start", "-a", "-i", job], input: script).runToEnd()
                #expect(started.code == 4, "\(started)")
                let waited = try daemon.http("POST", "/v1.44/containers/\(job)/wait?condition=not-running")
                #expect(waited.status == 200 && waited.body.contains(#""StatusCode":4"#), "\(waited)")
                #expect(try daemon.ok(.masu, "run", "--rm", "-v", "runner-cache:/b", "busybox", "cat", "/b/x") == "hi")
                let wanted = try filters(["name": ["bridge"]])
                let network = try #require(try list(daemon, "/v1.44/networks?filters=\(wanted)").first)
                #expect(network["Name"] as? String == "bridge")
                try daemon.ok(.masu, "rm", "-f", "job", "helper")
                try daemon.ok(.masu, "volume", "rm", "runner-cache")
            }
        }

        @Test("minikube and Dev Containers: command lines with fixed addresses, places of ports, and what is not there")
        func commandLines() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "network", "create", "--driver=bridge", "--subnet=192.0.2.0/24", "--gateway=192.0.2.1",
                    "-o", "--ip-masq", "-o", "--icc", "-o", "com.docker.network.driver.mtu=1500",
                    "--label=created_by.minikube.sigs.k8s.io=true", "mini")
                try daemon.ok(
                    .masu, "run", "-d", "-t", "--privileged", "--tmpfs", "/tmp", "--tmpfs", "/run", "--hostname",
                    "mini", "--name", "mini", "--label", "role.minikube.sigs.k8s.io=", "--network", "mini", "--ip",
                    "192.0.2.2", "--volume", "mini:/var", "--expose", "8443", "--publish=127.0.0.1::22", "busybox",
                    "sleep", "1000")
                #expect(
                    try daemon.ok(
                        .masu, "container", "inspect", "-f",
                        "{{range .NetworkSettings.Networks}}{{.IPAddress}},{{.GlobalIPv6Address}}{{end}}", "mini")
                        == "192.0.2.2,")
                let port = try daemon.ok(
                    .masu, "container", "inspect", "-f",
                    #"'{{(index (index .NetworkSettings.Ports "22/tcp") 0).HostPort}}'"#, "mini")
                #expect((Int(port.dropFirst().dropLast()) ?? 0) > 0, "\(port)")
                #expect(
                    try daemon.ok(
                        .masu, "network", "inspect", "mini", "--format",
                        "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{end}}") == "192.0.2.0/24 192.0.2.1")
                // Dev Containers
                let runtimes = try daemon.run(.masu, "info", "-f", "{{.Runtimes.nvidia}}")
                #expect(runtimes.code == 0 && runtimes.line == "<no value>", "\(runtimes)")
                #expect(try daemon.ok(.masu, "ps", "-q", "-a", "--filter", "label=role.minikube.sigs.k8s.io=") != "")
                let none = try daemon.run(.masu, "inspect", "--type", "container", "nothere")
                #expect(none.code == 1 && none.line == "[]", "\(none)")
                let config = "{{json .Config.User}}{{json .Config.Env}}{{json .Config.Entrypoint}}{{json .Config.Cmd}}"
                #expect(try daemon.run(.masu, "inspect", "--type", "image", "-f", config, "busybox").code == 0)
                try daemon.ok(.masu, "rm", "-f", "-v", "mini")
                try daemon.ok(.masu, "network", "rm", "mini")
                try daemon.ok(.masu, "volume", "rm", "mini")
            }
        }
    }
}
