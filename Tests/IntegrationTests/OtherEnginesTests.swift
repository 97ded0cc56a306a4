import Foundation
import Testing

extension Integration {
    /// `masu-runtime` in runc's place under the engines that drive runc, each a daemon of the test's own on private
    /// roots.
    @Suite("other engines")
    struct OtherEngines {
        /// A directory with an unpacked root and room for an engine's state; goes with its last reference.
        private final class Place {
            let path: String
            var root: String { path + "/root" }
            private(set) var daemon: RunningCommand?

            init() throws {
                var template = Array("/tmp/masu-other.XXXXXX".utf8CString)
                guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
                path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
                mkdir(root, 0o755)
                let tar = try #require(Programs.find("tar"))
                let unpacked = try Command(tar, "-xf", try Roots.busybox(), "-C", root).runToEnd()
                try #require(unpacked.code == 0, "\(unpacked)")
            }

            /// Starts a daemon and waits until `probe` succeeds.
            func start(_ program: String, _ arguments: [String], probe: [String]) throws {
                let daemon = try Command(program, arguments).start()
                self.daemon = daemon
                let answers = try eventually(within: 120) {
                    if daemon.hasEnded { return true }
                    return try Command(probe[0], Array(probe.dropFirst())).runToEnd().code == 0
                }
                try #require(answers && !daemon.hasEnded, "\(daemon.commandLine): \(daemon.errors.text.suffix(2000))")
            }

            deinit {
                daemon?.send(SIGTERM)
                // Whatever it has not unmounted is taken away below.
                _ = try? daemon?.waitForEnd()
                let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
                for line in mounts.split(separator: "\n").reversed() {
                    let point = String(line.split(separator: " ")[1])
                    if point.hasPrefix(path + "/") { umount2(point, Int32(MNT_DETACH)) }
                }
                // A leftover in /tmp is no reason to fail.
                _ = try? Command("/bin/rm", "-rf", "--one-file-system", path).runToEnd()
            }
        }

        private static let dockerd = Programs.find("dockerd")
        private static let podman = Programs.find("podman")
        private static let containerd = Programs.find("containerd")

        @Test(
            "dockerd --add-runtime",
            .enabled(if: dockerd != nil && Programs.docker != nil, "needs dockerd (package docker.io) and docker"))
        func dockerEngine() throws {
            let place = try Place()
            let socket = "unix://" + place.path + "/docker.sock"
            let docker = try #require(Programs.docker)
            func run(_ arguments: String...) throws -> Command.Result {
                try Command(docker, ["-H", socket] + arguments).runToEnd()
            }
            try place.start(
                try #require(Self.dockerd),
                [
                    "--iptables=false", "--bridge=none", "--data-root", place.path + "/data", "--exec-root",
                    place.path + "/run", "-H", socket, "--pidfile", place.path + "/pid", "--add-runtime",
                    "masu=" + Programs.runtime, "--default-runtime", "masu",
                ], probe: [docker, "-H", socket, "version"])
            #expect(try run("import", try Roots.busybox(), "busybox").code == 0)
            let options = ["--network", "none", "-m", "64m", "--pids-limit", "50"]
            let echo = try Command(docker, ["-H", socket, "run", "--rm"] + options + ["busybox", "echo", "hello"])
                .runToEnd()
            #expect(echo.code == 0 && echo.line == "hello", "\(echo)")
            #expect(try run("run", "--rm", "--network", "none", "busybox", "nosuchprogram").code == 127)
            #expect(try run("run", "-d", "--network", "none", "--name", "box", "busybox", "sleep", "1000").code == 0)
            let inside = try run("exec", "box", "sh", "-c", "echo here; exit 7")
            #expect(inside.code == 7 && inside.line == "here", "\(inside)")
            #expect(try run("pause", "box").code == 0 && run("unpause", "box").code == 0)
            let update = try run("update", "-m", "32m", "--memory-swap", "64m", "box")
            #expect(update.code == 0, "\(update)")
            let stop = try run("stop", "-t", "0", "box")
            #expect(stop.code == 0, "\(stop)")
            #expect(try run("rm", "box").code == 0)
        }

        @Test("podman --runtime", .enabled(if: podman != nil, "needs podman"))
        func podmanEngine() throws {
            let place = try Place()
            let podman = try #require(Self.podman)
            func run(_ arguments: String...) throws -> Command.Result {
                var command = Command(
                    podman,
                    [
                        "--root", place.path + "/data", "--runroot", place.path + "/run", "--cgroup-manager",
                        "cgroupfs",
                        "--runtime", Programs.runtime,
                    ] + arguments)
                command.environment["HOME"] = place.path
                return try command.runToEnd()
            }
            // What podman asks for by itself is more than root may have on every machine.
            let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--network", "none"]
            func start(_ options: String..., command: String...) throws -> Command.Result {
                var arguments = Command(podman)
                arguments.environment["HOME"] = place.path
                arguments.arguments =
                    [
                        "--root", place.path + "/data", "--runroot", place.path + "/run", "--cgroup-manager",
                        "cgroupfs",
                        "--runtime", Programs.runtime, "run",
                    ] + options + limits + ["--rootfs", place.root] + command
                return try arguments.runToEnd()
            }
            let echo = try start("--rm", command: "echo", "hello")
            #expect(echo.code == 0 && echo.line == "hello", "\(echo)")
            let missing = try start("--rm", command: "nosuchprogram")
            #expect(missing.code == 127, "\(missing)")
            let box = try start("-d", "--name", "box", command: "sleep", "1000")
            #expect(box.code == 0, "\(box)")
            let inside = try run("exec", "box", "sh", "-c", "echo here; exit 7")
            #expect(inside.code == 7 && inside.line == "here", "\(inside)")
            let stop = try run("stop", "-t", "0", "box")
            #expect(stop.code == 0, "\(stop)")
            #expect(try run("rm", "box").code == 0)
        }

        @Test(
            "containerd: ctr run --runc-binary",
            .enabled(if: containerd != nil && Programs.find("ctr") != nil, "needs containerd"))
        func containerdEngine() throws {
            let place = try Place()
            let socket = place.path + "/containerd.sock"
            let ctr = try #require(Programs.find("ctr"))
            try """
            version = 2
            root = "\(place.path)/data"
            state = "\(place.path)/run"
            [grpc]
            address = "\(socket)"

            """.write(toFile: place.path + "/config.toml", atomically: true, encoding: .utf8)
            func run(_ arguments: String...) throws -> Command.Result {
                try Command(ctr, ["-a", socket] + arguments).runToEnd()
            }
            try place.start(
                try #require(Self.containerd), ["-c", place.path + "/config.toml"],
                probe: [ctr, "-a", socket, "version"])
            let echo = try run(
                "run", "--rm", "--runc-binary", Programs.runtime, "--rootfs", place.root, "one", "echo", "hello")
            #expect(echo.code == 0 && echo.line == "hello", "\(echo)")
            let box = try run(
                "run", "-d", "--runc-binary", Programs.runtime, "--rootfs", place.root, "box", "sleep", "1000")
            #expect(box.code == 0, "\(box)")
            let inside = try run("task", "exec", "--exec-id", "e", "box", "echo", "here")
            #expect(inside.code == 0 && inside.line == "here", "\(inside)")
            #expect(try run("task", "kill", "-s", "KILL", "box").code == 0)
            #expect(try eventually { try run("task", "ls").output.contains("STOPPED") })
            // ctr hands on the exit code of the task, 137.
            _ = try run("task", "rm", "box")
            #expect(try run("container", "rm", "box").code == 0)
        }
    }
}
