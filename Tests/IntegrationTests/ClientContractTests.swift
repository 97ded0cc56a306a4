import Foundation
import Testing

extension Integration {
    /// What programs that people run beside Docker ask of its API, and what they read in the answers: one line for
    /// each thing that would break them. The programs themselves are not here; their requests are.
    @Suite("contracts of clients")
    struct ClientContractTests {
        /// A request, and what has to be at which place of the answer.
        struct Contract: CustomTestStringConvertible, Sendable {
            var client: String
            var method = "GET"
            var path: String
            var body = ""
            var status = 200
            /// Places such as `Swarm.LocalNodeState` or `0.Id`; what they hold as text, or `*` for anything but null,
            /// `null`, or `-` for nothing at all.
            var holds: [String: String] = [:]
            var testDescription: String { "\(client): \(method) \(path)" }
        }

        private static func value(_ place: String, in json: Any?) -> Any? {
            var value = json
            // Members' names may have dots in them.
            for step in place.split(separator: ".").map({ String($0).replacing("·", with: ".") }) {
                if let list = value as? [Any], let index = Int(step) {
                    value = list.indices.contains(index) ? list[index] : nil
                } else {
                    value = (value as? [String: Any])?[step]
                }
            }
            return value
        }

        private static func check(_ contract: Contract, _ daemon: TestDaemon) throws {
            let answer = try daemon.http(contract.method, contract.path, body: contract.body)
            #expect(answer.status == contract.status, "\(contract.testDescription): \(answer)")
            let json = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8), options: .fragmentsAllowed)
            for (place, wanted) in contract.holds {
                let value = value(place, in: json)
                let isRight =
                    switch wanted {
                    case "*": value != nil && !(value is NSNull)
                    case "null": value is NSNull
                    case "-": value == nil
                    default: value.map { "\($0)" } == wanted
                    }
                #expect(isRight, "\(contract.testDescription): \(place) is \(value ?? "absent"), wanted \(wanted)")
            }
        }

        static let contracts = [
            Contract(client: "Portainer", path: "/info", holds: ["Swarm.LocalNodeState": "inactive", "ID": "*"]),
            Contract(
                client: "docker login before 23", path: "/v1.40/info",
                holds: ["IndexServerAddress": "https://index.docker.io/v1/"]),
            Contract(client: "Portainer", path: "/version", holds: ["Components.0.Name": "Engine", "Version": "*"]),
            Contract(client: "Portainer", path: "/plugins", holds: [:]),
            Contract(client: "Portainer", path: "/volumes", holds: ["Volumes": "*"]),
            Contract(client: "Portainer", path: "/swarm", status: 503, holds: ["message": "*"]),
            Contract(client: "Portainer", path: "/services", status: 503),
            Contract(
                client: "Portainer", path: "/containers/json?all=1", holds: ["0.Names.0": "/web", "0.Status": "*"]),
            Contract(
                client: "Portainer", path: "/images/json", holds: ["0.Id": "*", "0.RepoTags.0": "busybox:latest"]),
            Contract(
                client: "Traefik", path: "/v1.24/containers/web/json",
                holds: ["NetworkSettings.IPAddress": "*", "NetworkSettings.Ports.80/tcp": "null", "State.Health": "-"]),
            Contract(
                client: "nginx-proxy", path: "/containers/web/json",
                holds: [
                    "NetworkSettings.Networks.bridge.IPAddress": "*", "NetworkSettings.Networks.bridge.NetworkID": "*",
                    "NetworkSettings.Ports.80/tcp": "null", "NetworkSettings.IPAddress": "-",
                ]),
            Contract(client: "docker-gen", path: "/networks", holds: ["0.Internal": "0", "0.Id": "*"]),
            Contract(
                client: "watchtower", path: "/v1.25/containers/web/json",
                holds: ["Image": "*", "Config.Image": "busybox", "HostConfig.NetworkMode": "bridge", "Name": "/web"]),
            Contract(
                client: "watchtower", path: "/v1.25/images/busybox/json", holds: ["Id": "*", "RepoDigests": "*"]),
            Contract(
                client: "watchtower", method: "POST", path: "/v1.25/containers/web/rename?name=web-old", status: 204),
            Contract(
                client: "watchtower", method: "POST", path: "/v1.25/containers/web-old/rename?name=web", status: 204),
            Contract(
                client: "GitLab Runner", path: "/v1.44/info",
                holds: ["OSType": "linux", "Architecture": "*", "KernelVersion": "*"]),
            Contract(
                client: "GitLab Runner", method: "POST", path: "/v1.44/containers/create?name=job",
                body:
                    #"{"Image":"busybox","Cmd":["sh"],"AttachStdin":true,"OpenStdin":true,"StdinOnce":true,"#
                    + #""HostConfig":{"LogConfig":{"Type":"json-file"}},"#
                    + #""NetworkingConfig":{"EndpointsConfig":{"default":{}}}}"#,
                status: 201, holds: ["Id": "*", "Warnings": "*"]),
            Contract(client: "Testcontainers for Java", path: "/v1.44/version", holds: ["ApiVersion": "1.55"]),
            Contract(client: "Testcontainers for Java", path: "/_ping"),
            Contract(
                client: "Dev Containers", path: "/v1.47/images/busybox/json",
                holds: ["Config.Env": "null", "Config.User": "", "Config.Entrypoint": "null", "Architecture": "*"]),
            Contract(
                client: "k3d", path: "/networks/bridge",
                holds: ["IPAM.Config.0.Subnet": "*", "IPAM.Config.0.Gateway": "*", "Driver": "bridge"]),
            Contract(
                client: "kind", path: "/networks/bridge",
                holds: ["Options.com·docker·network·driver·mtu": "*"]),
            Contract(
                client: "kind", path: "/info",
                holds: [
                    "CgroupDriver": "*", "CgroupVersion": "*", "MemoryLimit": "*", "PidsLimit": "*", "CPUShares": "*",
                ]),
            Contract(client: "docker-py", path: "/system/df", holds: ["Images": "*", "ImageUsage.TotalCount": "1"]),
            Contract(
                client: "docker CLI 29", path: "/v1.52/system/df?verbose=1",
                holds: ["Images": "-", "ImageUsage.Items.0.Id": "*", "ContainerUsage.TotalCount": "*"]),
            Contract(
                client: "docker CLI 29", path: "/v1.51/system/df", holds: ["Images.0.Id": "*", "ImageUsage": "-"]),
            Contract(
                client: "docker image ls --tree", path: "/v1.55/images/json?manifests=1",
                holds: ["0.Manifests.0.Kind": "image", "0.Manifests.0.ImageData.Platform.os": "linux"]),
            Contract(
                client: "docker image inspect", path: "/v1.55/images/busybox/json?manifests=1&platform=linux/amd64",
                status: 400,
                holds: ["message": "conflicting options: manifests and platform options cannot both be set"]),
            Contract(
                client: "docker image ls", path: "/v1.55/images/json?identity=1", status: 400,
                holds: ["message": "conflicting options: identity requires manifests=1"]),
            Contract(client: "buildx", method: "POST", path: "/session", status: 501, holds: ["message": "*"]),
            Contract(client: "anybody", path: "/masu/openapi.json", holds: ["openapi": "3.0.3"]),
        ]

        @Test("each client finds what it reads")
        func answers() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "run", "-d", "--name", "web", "--expose", "80", "busybox", "sleep", "1000")
                for contract in Self.contracts { try Self.check(contract, daemon) }
            }
        }

        @Test("dashboards make a container anew of what inspect says, as it is")
        func roundTrip() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "web", "-p", "127.0.0.1::80", "-e", "A=b", "busybox", "sleep", "1000")
                for version in ["v1.25", "v1.44", "v1.55"] {
                    let inspected = try daemon.http("GET", "/\(version)/containers/web/json").body
                    let json = try #require(
                        try JSONSerialization.jsonObject(with: Data(inspected.utf8)) as? [String: Any])
                    var request = try #require(json["Config"] as? [String: Any])
                    request["HostConfig"] = json["HostConfig"]
                    let networks = (json["NetworkSettings"] as? [String: Any])?["Networks"]
                    request["NetworkingConfig"] = ["EndpointsConfig": networks]
                    // The name of the host is the old container's own.
                    request["Hostname"] = ""
                    let body = String(decoding: try JSONSerialization.data(withJSONObject: request), as: UTF8.self)
                    let answer = try daemon.http("POST", "/\(version)/containers/create?name=new", body: body)
                    #expect(answer.status == 201, "\(version): \(answer)")
                    try daemon.ok(.masu, "rm", "-f", "new")
                }
            }
        }

        @Test("devices with names are told of, by the versions that know them")
        func devices() throws {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let description = """
                {"cdiVersion":"0.6.0","kind":"example.com/thing",
                "devices":[{"name":"one","containerEdits":{"env":["THING=1"]}}]}
                """
            try Data(description.utf8).write(to: URL(fileURLWithPath: folder.path + "/thing.json"))
            try withDaemon(options: ["--cdi-spec-dir", folder.path], image: false) { daemon in
                try Self.check(
                    Contract(
                        client: "docker info", path: "/v1.50/info",
                        holds: [
                            "CDISpecDirs.0": folder.path, "DiscoveredDevices.0.Source": "cdi",
                            "DiscoveredDevices.0.ID": "example.com/thing=one",
                        ]), daemon)
                try Self.check(
                    Contract(client: "docker info", path: "/v1.49/info", holds: ["DiscoveredDevices": "-"]), daemon)
                #expect(try daemon.ok(.masu, "info").contains("  cdi: example.com/thing=one"))
            }
        }

        @Test("the daemon is the same after a restart to those who know it by its id")
        func identity() throws {
            try withDaemon(image: false) { daemon in
                func identity() throws -> String { try daemon.ok(.masu, "info", "--format", "{{.ID}}") }
                let before = try identity()
                try daemon.crash()
                try daemon.start()
                #expect(try identity() == before && before.count > 12)
            }
        }

        @Test("command lines of CI runners and cluster makers are understood", arguments: Client.available)
        func commandLines(_ client: Client) throws {
            try withDaemon { daemon in
                // GitHub Actions' runner wants 1.35, minikube 18.09, Dev Containers 23.0.
                let version = try daemon.ok(client, "version", "--format", "{{.Server.APIVersion}}")
                #expect((version.split(separator: ".").last.flatMap { Int($0) } ?? 0) >= 35, "\(version)")
                let engine = try daemon.ok(client, "version", "--format", "{{.Server.Version}}")
                #expect((engine.split(separator: ".").first.flatMap { Int($0) } ?? 0) >= 23, "\(engine)")
                // kind
                #expect(try daemon.ok(client, "network", "ls", "-q", "--filter", "name=^kind$") == "")
                try daemon.ok(
                    client, "network", "create", "-d=bridge",
                    "-o", "com.docker.network.bridge.enable_ip_masquerade=true",
                    "-o", "com.docker.network.driver.mtu=1500", "kind")
                let again = try daemon.run(client, "network", "create", "kind")
                #expect(again.code == 1 && again.errors.contains("network with name kind already exists"), "\(again)")
                // Jenkins
                let id = try daemon.ok(client, "run", "-t", "-d", "--label", "job=1", "busybox", "cat")
                #expect(try daemon.ok(client, "top", id, "-eo", "pid,comm").contains("cat"))
                #expect(try daemon.ok(client, "inspect", "-f", "{{range .Mounts}}x{{end}}", id) == "")
                try daemon.ok(client, "stop", "--time=1", id)
                // GitHub Actions' runner
                #expect(try daemon.ok(client, "ps", "-aq", "--no-trunc", "--filter", "label=job=1") == id)
                try daemon.ok(client, "rm", "-f", "--volumes", id)
                try daemon.ok(client, "network", "prune", "--force", "--filter", "label=none")
                try daemon.ok(client, "network", "rm", "kind")
            }
        }
    }
}
