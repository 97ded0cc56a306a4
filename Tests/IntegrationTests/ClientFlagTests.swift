import Foundation
import Testing

extension Integration {
    /// Flags whose work the command line does by itself.
    @Suite("flags of the command line")
    struct ClientFlagTests {
        @Test(
            "a container with the API's socket has the user's credentials, unless it names a configuration of its own",
            arguments: Client.available)
        func apiSocket(_ client: Client) throws {
            try withDaemon { daemon in
                try #"{"auths":{"registry.test":{"auth":"bWU6cHc="}}}"#.write(
                    toFile: daemon.root + "/docker/config.json", atomically: true, encoding: .utf8)
                let look = """
                    test -S /var/run/docker.sock && echo socket; echo "$DOCKER_CONFIG"
                    cat /run/secrets/docker/config.json; echo; stat -c '%a %u' /run/secrets/docker/config.json
                    """
                let all = try daemon.ok(client, "run", "--rm", "--use-api-socket", "busybox", "sh", "-c", look)
                #expect(all.hasPrefix("socket\n/run/secrets/docker\n"), "\(all)")
                #expect(all.contains("registry.test") && all.contains("bWU6cHc="), "\(all)")
                #expect(all.hasSuffix("\n600 0"), "\(all)")
                let own = try daemon.run(
                    client, "run", "--rm", "--use-api-socket", "-e", "DOCKER_CONFIG=/mine", "busybox", "sh", "-c",
                    look)
                #expect(own.output == "socket\n/mine\n\n", "\(own)")
            }
        }

        @Test("the API's socket cannot be one of TCP", arguments: Client.available)
        func apiSocketOfTCP(_ client: Client) throws {
            let port = try LocalPort.free()
            try withDaemon(options: ["-H", "tcp://127.0.0.1:\(port)"]) { daemon in
                let result = try daemon.run(
                    client, "-H", "tcp://127.0.0.1:\(port)", "create", "--use-api-socket", "busybox", "true")
                #expect(result.code != 0, "\(result)")
                let text = "flag --use-api-socket can only be used with unix sockets: docker endpoint tcp://"
                #expect(result.errors.contains(text), "\(result)")
            }
        }

        @Test("images are shown as a tree", arguments: Client.available)
        func tree(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "tag", "busybox", "another/name:2")
                try daemon.ok(.masu, "create", "busybox", "true")
                let shown = try daemon.run(client, "images", "--tree")
                try #require(shown.code == 0, "\(shown)")
                // Docker colours the headings for files, too.
                let text = shown.output.replacingOccurrences(
                    of: "\u{1B}\\[[0-9;]*m", with: "", options: .regularExpression)
                let lines = text.split(separator: "\n").map(String.init)
                try #require(lines.count == 6, "\(text)")
                #expect(lines[0].contains("This is an experimental feature"), "\(text)")
                #expect(lines[2].hasPrefix("IMAGE                ID             DISK USAGE   CONTENT SIZE   EXTRA"))
                #expect(lines[3] == "another/name:2" || lines[3] == "busybox:latest", "\(text)")
                #expect(lines[5].hasPrefix("└─ linux/") && lines[5].hasSuffix("   U    "), "\(text)")
                let refused = try daemon.run(client, "images", "--tree", "-q")
                #expect(refused.code == 1 && refused.errors.contains("--quiet is not yet supported with --tree"))
            }
        }

        @Test("isolation is the one of Linux", arguments: Client.available)
        func isolation(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(client, "create", "--isolation", "default", "busybox", "true")
                let other = try daemon.run(client, "create", "--isolation", "hyperv", "busybox", "true")
                #expect(other.code != 0 && other.errors.contains("invalid isolation"), "\(other)")
            }
        }

        @Test("who asks for content trust is refused, and not served without it")
        func contentTrust() throws {
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--disable-content-trust", "busybox", "true")
                for words in [["pull", "busybox"], ["push", "busybox"], ["create", "busybox", "true"]] {
                    var command = daemon.command(.masu, words)
                    command.environment["DOCKER_CONTENT_TRUST"] = "1"
                    let result = try command.runToEnd()
                    #expect(result.code == 1, "\(result)")
                    #expect(result.errors.contains("DOCKER_CONTENT_TRUST: content trust is not supported"))
                }
                let flag = try daemon.run(.masu, "pull", "--disable-content-trust=false", "busybox")
                #expect(flag.code == 1 && flag.errors.contains("--disable-content-trust=false: content trust"))
            }
        }
    }
}
