import Foundation
import Testing

extension Integration {
    /// Images from and to registries, with the finished programs and with others' clients.
    @Suite("registries", .enabled(if: !Programs.isReference, "of our own programs"))
    struct Registries {
        /// A layer of so many bytes that nothing can compress.
        private func image(_ daemon: TestDaemon, _ name: String, megabytes: Int) throws {
            let command = """
                d=$(mktemp -d) && head -c \(megabytes << 20) /dev/urandom >$d/data && cp /bin/busybox $d/ &&
                tar -C $d -cf $d.tar . && "$0" import $d.tar \(name) && rm -rf $d $d.tar
                """
            var shell = daemon.command(.masu, [])
            shell.path = "/bin/sh"
            shell.arguments = ["-c", command, Programs.masu]
            let result = try shell.runToEnd()
            try #require(result.code == 0, "\(result)")
        }

        @Test("what one client pushes another pulls, with the same digest", arguments: PrivateRegistry.Kind.available)
        func roundTrip(_ kind: PrivateRegistry.Kind) throws {
            try withDaemon { daemon in
                let registry = try PrivateRegistry(kind, beside: daemon)
                for client in Client.available {
                    let name = "\(registry.domain)/team/\(client.rawValue)"
                    try daemon.ok(client, "tag", "busybox", "\(name):1")
                    let pushed = try daemon.ok(client, "push", "\(name):1")
                    let digest = try registry.digest("team/\(client.rawValue)", "1")
                    #expect(pushed.contains("1: digest: \(digest) size: "))
                    try daemon.ok(client, "rmi", "\(name):1")
                    for other in Client.available {
                        let pulled = try daemon.ok(other, "pull", "\(name):1")
                        #expect(pulled.contains("Digest: \(digest)"), "\(pulled)")
                        #expect(pulled.hasSuffix("\(name):1"))
                        #expect(
                            try daemon.ok(other, "image", "inspect", "-f", "{{index .RepoDigests 0}}", "\(name):1")
                                == "\(name)@\(digest)")
                        try daemon.ok(other, "rmi", "\(name):1")
                    }
                }
            }
        }

        @Test(
            "an image of skopeo's is pulled, and pushed again as the same bytes",
            .enabled(if: Programs.find("skopeo") != nil, "needs skopeo"))
        func skopeo() throws {
            try withDaemon(image: false) { daemon in
                let skopeo = try #require(Programs.find("skopeo"))
                let registry = try PrivateRegistry(beside: daemon)
                // Through an archive of ours and skopeo's conversion to Docker's own format.
                try daemon.importBusybox()
                try daemon.ok(.masu, "tag", "busybox", "\(registry.domain)/ours:1")
                try daemon.ok(.masu, "push", "\(registry.domain)/ours:1")
                let copy = try Command(
                    skopeo, "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2",
                    "docker://\(registry.domain)/ours:1", "docker://\(registry.domain)/theirs:1"
                ).runToEnd()
                try #require(copy.code == 0, "\(copy)")
                try daemon.ok(.masu, "pull", "\(registry.domain)/theirs:1")
                try daemon.ok(.masu, "run", "--rm", "\(registry.domain)/theirs:1", "true")
                let inspected = try Command(
                    skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}",
                    "docker://\(registry.domain)/ours:1"
                ).runToEnd()
                #expect(inspected.line == (try registry.digest("ours", "1")))
            }
        }

        @Test("run pulls what is missing, and only when it may", arguments: Client.available)
        func run(_ client: Client) throws {
            try withDaemon { daemon in
                let registry = try PrivateRegistry(beside: daemon)
                let name = "\(registry.domain)/box:1"
                try daemon.ok(.masu, "tag", "busybox", name)
                try daemon.ok(.masu, "push", name)
                try daemon.ok(.masu, "rmi", name)
                let refused = try daemon.run(client, "run", "--rm", "--pull", "never", name, "echo", "hello")
                #expect(refused.code == 125)
                let result = try daemon.run(client, "run", "--rm", name, "echo", "hello")
                #expect(result.code == 0 && result.line == "hello", "\(result)")
                #expect(result.errors.contains("Unable to find image '\(name)' locally"))
                #expect(result.errors.contains("Status: Downloaded newer image for \(name)"))
            }
        }

        @Test("a registry with passwords lets in who has logged in", arguments: ["basic", "token"])
        func passwords(_ kind: String) throws {
            try withDaemon { daemon in
                let users = daemon.root + "/users"
                let hash = try Command(
                    "/usr/bin/python3", "-W", "ignore", "-c",
                    "import crypt; print('me:' + crypt.crypt('secret', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))"
                ).runToEnd()
                try #require(hash.code == 0, "\(hash)")
                try hash.output.write(toFile: users, atomically: true, encoding: .utf8)
                let registry = try PrivateRegistry(beside: daemon, options: ["--passwords", users, "--auth", kind])
                let name = "\(registry.domain)/box:1"
                for client in Client.available {
                    try daemon.ok(client, "tag", "busybox", name)
                    #expect(try daemon.run(client, "push", name).code == 1)
                    let wrong = try daemon.run(
                        client, "login", "-u", "me", "--password-stdin", registry.domain, input: Array("wrong".utf8))
                    #expect(wrong.code == 1 && wrong.errors.contains("unauthorized"), "\(wrong)")
                    let login = try daemon.run(
                        client, "login", "-u", "me", "--password-stdin", registry.domain, input: Array("secret\n".utf8))
                    #expect(login.code == 0 && login.output.contains("Login Succeeded"), "\(login)")
                    try daemon.ok(client, "push", name)
                    try daemon.ok(client, "rmi", name)
                    try daemon.ok(client, "pull", "-q", name)
                    try daemon.ok(client, "logout", registry.domain)
                    let refused = try daemon.run(client, "pull", name)
                    #expect(refused.code == 1 && refused.errors.contains("pull access denied"), "\(refused)")
                }
            }
        }

        @Test("a daemon killed in the middle of a pull goes on where it was")
        func killedDaemon() throws {
            try withDaemon(image: false) { daemon in
                let registry = try PrivateRegistry(beside: daemon)
                let relay = try HoldingRelay(to: registry.port, holding: .toClient, after: 25 << 20)
                defer { relay.stop() }
                try image(daemon, "\(registry.domain)/big:1", megabytes: 100)
                try daemon.ok(.masu, "push", "\(registry.domain)/big:1")
                try daemon.ok(.masu, "rmi", "\(registry.domain)/big:1")
                let name = "127.0.0.1:\(relay.port)/big:1"
                let kept = daemon.dataRoot + "/content/ingest/resumable"
                var sizes: [Int] = [0]
                for _ in 0..<3 {
                    let pull = try daemon.begin(.masu, "pull", "-q", name)
                    #expect(relay.waitUntilHolding())
                    // Unfinished pieces are in memory, 4 MiB on each of four connections: more than that has come.
                    #expect(eventually { Self.size(of: kept) > sizes[sizes.count - 1] })
                    try daemon.crash()
                    _ = try pull.waitForEnd()
                    sizes.append(Self.size(of: kept))
                    try daemon.start()
                    relay.allow(25 << 20)
                }
                #expect(sizes.sorted() == sizes, "\(sizes)")
                relay.release()
                try daemon.ok(.masu, "pull", name)
                #expect(Self.size(of: kept) == 0)
                try daemon.ok(.masu, "run", "--rm", name, "/busybox", "true")
            }
        }

        @Test("a registry killed in the middle of a pull is waited for, or the pull fails and the next one goes on")
        func killedRegistry() throws {
            try withDaemon(image: false) { daemon in
                let registry = try PrivateRegistry(beside: daemon)
                let relay = try HoldingRelay(to: registry.port, holding: .toClient, after: 30 << 20)
                defer { relay.stop() }
                try image(daemon, "\(registry.domain)/big:1", megabytes: 60)
                try daemon.ok(.masu, "push", "\(registry.domain)/big:1")
                try daemon.ok(.masu, "rmi", "\(registry.domain)/big:1")
                let name = "127.0.0.1:\(relay.port)/big:1"
                let pull = try daemon.begin(.masu, "pull", "-q", name)
                #expect(relay.waitUntilHolding())
                #expect(!pull.hasEnded, "half of the layer is still to come")
                try registry.crash()
                relay.release()
                try registry.start()
                _ = try pull.waitForEnd()
                try daemon.ok(.masu, "pull", name)
                try daemon.ok(.masu, "run", "--rm", name, "/busybox", "true")
            }
        }

        @Test("a registry killed in the middle of a push is waited for, or the push fails and the next one succeeds")
        func killedRegistryDuringPush() throws {
            try withDaemon(image: false) { daemon in
                let registry = try PrivateRegistry(beside: daemon)
                let relay = try HoldingRelay(to: registry.port, holding: .toServer, after: 30 << 20)
                defer { relay.stop() }
                let name = "127.0.0.1:\(relay.port)/big:1"
                try image(daemon, name, megabytes: 60)
                let push = try daemon.begin(.masu, "push", "-q", name)
                #expect(relay.waitUntilHolding())
                #expect(!push.hasEnded, "half of the layer is still to go")
                try registry.crash()
                relay.release()
                try registry.start()
                _ = try push.waitForEnd()
                try daemon.ok(.masu, "push", name)
                try daemon.ok(.masu, "rmi", name)
                try daemon.ok(.masu, "pull", name)
                try daemon.ok(.masu, "run", "--rm", name, "/busybox", "true")
            }
        }

        private static func size(of folder: String) -> Int {
            // There is no folder before the first pull.
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.reduce(0) { sum, name in
                let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/" + name)
                return sum + (attributes?[.size] as? Int ?? 0)
            }
        }

        @Test(
            "a registry that is not there, an image that is not, a name that is none: each is said in one line",
            arguments: Client.available)
        func errors(_ client: Client) throws {
            try withDaemon(image: false) { daemon in
                let registry = try PrivateRegistry(beside: daemon)
                let missing = try daemon.run(client, "pull", "\(registry.domain)/nothing:1")
                #expect(missing.code == 1)
                #expect(
                    missing.errors.hasPrefix(
                        "Error response from daemon: manifest for \(registry.domain)/nothing:1 not found: manifest "
                            + "unknown"
                    ),
                    "\(missing)")
                let unreachable = try daemon.run(client, "pull", "127.0.0.1:9/x:1")
                #expect(unreachable.errors.contains("dial tcp 127.0.0.1:9: connect: connection refused"))
                #expect(
                    try daemon.run(client, "push", "\(registry.domain)/nothing:1").errors.contains(
                        "An image does not exist locally with the tag"))
            }
        }

        @Test(
            "what keeps the registry from starting is told with its path",
            arguments: [
                ("touch root", "cannot use DIR/root as --root: Not a directory"),
                ("mkdir -p root/content && touch root/content/blobs", "cannot use DIR/root as --root: "),
                ("mkdir -p root/registry.db", "cannot use DIR/root as --root: "),
                ("ln -s nowhere root", "cannot use DIR/root as --root: No such file or directory"),
            ])
        func unusableRoot(prepare: String, text: String) throws {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("masu-\(UUID().uuidString)")
                .path
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            #expect(try Command("/bin/sh", "-c", "cd \(directory) && \(prepare)").runToEnd().code == 0)
            let result = try Command(Programs.directory + "/masu-registry", "--root", directory + "/root").runToEnd()
            #expect(result.code == 1)
            let expected = "masu-registry: " + text.replacingOccurrences(of: "DIR", with: directory)
            #expect(result.errors.contains(expected), "\(result)")
        }

        @Test("progress at a narrow terminal stays within it")
        func narrowTerminal() throws {
            try withDaemon(image: false) { daemon in
                let registry = try PrivateRegistry(beside: daemon)
                let name = "\(registry.domain)/big:1"
                try image(daemon, name, megabytes: 20)
                try daemon.ok(.masu, "push", name)
                try daemon.ok(.masu, "rmi", name)
                let terminal = try daemon.terminal(.masu, "pull", name, columns: 40)
                #expect(try terminal.waitForEnd() == 0)
                let output = terminal.seen
                let lines = output.split { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
                for line in lines where line.contains("Downloading") || line.contains("Extracting") {
                    let text = line.replacing(/\u{1B}\[[0-9]*[A-Z]/, with: "")
                    #expect(text.count < 40, "\(text)")
                }
                #expect(output.contains("Pull complete"))
            }
        }
    }
}
