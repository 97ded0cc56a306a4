import Foundation
import Testing

extension Integration {
    /// Devices of the Container Device Interface, from a file to what a container sees.
    @Suite("devices by name")
    struct DeviceNames {
        private static func describe(_ kind: String, in directory: String, file: String) throws {
            let specification = """
                {
                  "cdiVersion": "0.6.0", "kind": "\(kind)",
                  "containerEdits": {"env": ["COMMON=\(kind)"]},
                  "devices": [
                    {"name": "0", "containerEdits": {
                      "env": ["CHOSEN=zero"],
                      "deviceNodes": [{"path": "/dev/special", "hostPath": "/dev/full", "permissions": "rw"}],
                      "mounts": [{"hostPath": "\(directory)/files", "containerPath": "/opt/driver",
                        "options": ["ro", "nosuid", "nodev", "rbind"]}]}},
                    {"name": "1", "containerEdits": {"env": ["CHOSEN=one"]}}
                  ]
                }
                """
            try specification.write(toFile: "\(directory)/\(file)", atomically: true, encoding: .utf8)
        }

        /// A daemon that looks for files in a directory of the test's own, which has one.
        private static func withDevices(_ kind: String, _ body: (TestDaemon, String) throws -> Void) throws {
            var template = Array("/tmp/masu-cdi-test-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
            let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            try FileManager.default.createDirectory(atPath: directory + "/files", withIntermediateDirectories: true)
            try "library\n".write(toFile: directory + "/files/lib.so", atomically: true, encoding: .utf8)
            try describe(kind, in: directory, file: "devices.json")
            try withDaemon(options: ["--cdi-spec-dir", directory]) { daemon in try body(daemon, directory) }
        }

        private static let look =
            "echo $COMMON $CHOSEN; cat /opt/driver/lib.so; touch /opt/driver/new 2>&1; ls -l /dev/special; "
            + "echo x 2>&1 >/dev/special"

        @Test("--device with a name brings variables, a node and a mount", arguments: Client.available)
        func named(_ client: Client) throws {
            try Self.withDevices("example.com/card") { daemon, _ in
                let result = try daemon.run(
                    client, "run", "--rm", "--device", "example.com/card=0", "busybox", "sh", "-c", Self.look)
                #expect(result.lines.first == "example.com/card zero", "\(result)")
                #expect(result.output.contains("library\n"), "\(result)")
                #expect(result.output.contains("Read-only file system"), "\(result)")
                // The node is the host's /dev/full, and may be written to: which is what it refuses in its own way.
                #expect(result.output.contains("1,   7") || result.output.contains("1, 7"), "\(result)")
                #expect(result.output.contains("No space left on device"), "\(result)")
                let both = try daemon.run(
                    client, "run", "--rm", "--device", "example.com/card=0", "--device", "example.com/card=1",
                    "busybox", "sh", "-c", "echo $COMMON $CHOSEN")
                #expect(both.line == "example.com/card one", "\(both)")
                let missing = try daemon.run(
                    client, "run", "--rm", "--device", "example.com/card=7", "busybox", "true")
                #expect(
                    missing.code == 125
                        && missing.errors.contains(
                            "CDI device injection failed: unresolvable CDI devices example.com/card=7"),
                    "\(missing)")
            }
        }

        @Test("--gpus takes the processors that files of their vendor describe", arguments: Client.available)
        func graphics(_ client: Client) throws {
            try Self.withDevices("nvidia.com/gpu") { daemon, _ in
                let all = try daemon.run(
                    client, "run", "--rm", "--gpus", "all", "busybox", "sh", "-c", "echo $COMMON $CHOSEN")
                #expect(all.line == "nvidia.com/gpu one", "\(all)")
                let one = try daemon.run(client, "run", "--rm", "--gpus", "1", "busybox", "sh", "-c", Self.look)
                #expect(one.lines.first == "nvidia.com/gpu zero" && one.output.contains("library\n"), "\(one)")
                let second = try daemon.run(
                    client, "run", "--rm", "--gpus", "device=1", "busybox", "sh", "-c", "echo $CHOSEN; ls /opt")
                #expect(second.lines.first == "one" && !second.output.contains("driver"), "\(second)")
                let many = try daemon.run(client, "run", "--rm", "--gpus", "3", "busybox", "true")
                #expect(
                    many.code == 125 && many.errors.contains("could not select device driver \"\" with capabilities"),
                    "\(many)")
            }
        }

        @Test("info tells directories, devices, and what is wrong with files")
        func information() throws {
            try Self.withDevices("example.com/card") { daemon, directory in
                #expect(try daemon.ok(.masu, "info", "-f", "{{json .CDISpecDirs}}") == #"["\#(directory)"]"#)
                let devices =
                    #"[{"Source":"cdi","ID":"example.com/card=0"},{"Source":"cdi","ID":"example.com/card=1"}]"#
                #expect(try daemon.http("GET", "/v1.50/info").body.contains(#""DiscoveredDevices":\#(devices)"#))
                #expect(try !daemon.http("GET", "/v1.49/info").body.contains("DiscoveredDevices"))
                try "{".write(toFile: directory + "/broken.json", atomically: true, encoding: .utf8)
                let warnings = try daemon.ok(.masu, "info", "-f", "{{json .Warnings}}")
                #expect(warnings.contains("CDI: \(directory)/broken.json"), "\(warnings)")
            }
        }

        @Test("a request of the interface has no count and no options, and no directory means no devices")
        func refusals() throws {
            try Self.withDevices("example.com/card") { daemon, _ in
                func create(_ request: String) throws -> String {
                    let answer = try daemon.http(
                        "POST", "/containers/create?name=device",
                        body: #"{"Image":"busybox","Cmd":["true"],"HostConfig":{"DeviceRequests":[\#(request)]}}"#)
                    guard answer.status == 201 else { return answer.body }
                    let start = try daemon.http("POST", "/containers/device/start")
                    try daemon.ok(.masu, "rm", "-f", "device")
                    return start.body
                }
                let ids = #""DeviceIDs":["example.com/card=1"]"#
                let usual = try create("{\"Driver\":\"cdi\",\(ids)}")
                #expect(usual == "")
                let counted = try create("{\"Driver\":\"cdi\",\"Count\":1,\(ids)}")
                #expect(counted.contains("unexpected count in CDI device request"), "\(counted)")
                let optional = try create("{\"Driver\":\"cdi\",\(ids),\"Options\":{\"a\":\"b\"}}")
                #expect(optional.contains("unexpected options in CDI device request"), "\(optional)")
            }
            try withDaemon(options: ["--cdi-spec-dir", ""]) { daemon in
                #expect(try daemon.ok(.masu, "info", "-f", "{{json .CDISpecDirs}}") == "[]")
                let result = try daemon.run(
                    .masu, "run", "--rm", "--device", "example.com/card=0", "busybox", "true")
                #expect(result.code == 125 && result.errors.contains("unresolvable CDI devices"), "\(result)")
            }
        }
    }
}
