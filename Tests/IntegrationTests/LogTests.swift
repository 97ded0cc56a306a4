import Foundation
import Testing

extension Integration {
    /// Reading a container's log while others write it, rotate it and empty it.
    @Suite("logs")
    struct Logs {
        /// Prints a number at a time, in portions, so that a log of 1 KiB is rotated again and again.
        private static let portions =
            "i=0; while [ $i -lt 400 ]; do echo $i; i=$((i+1)); [ $((i % 10)) = 0 ] && sleep 0.05; done; echo -n last"

        @Test(
            "who follows a log that is rotated sees it to the last line, in order and nothing twice",
            arguments: Client.available, [1, 2, 5])
        func rotation(_ client: Client, _ files: Int) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "--name", "many", "--log-opt", "max-size=1k", "--log-opt",
                    "max-file=\(files)", "busybox", "sh", "-c", Self.portions)
                let logs = try daemon.run(client, "logs", "-f", "many")
                #expect(logs.code == 0, "\(logs.errors)")
                #expect(logs.lines.last == "last")
                let numbers = logs.lines.dropLast().compactMap { Int($0) }
                #expect(numbers.first == 0)
                #expect(numbers == Array(Set(numbers)).sorted())
                if files > 1 { #expect(numbers.count == 400) } else { #expect(numbers.count > 300) }
            }
        }

        @Test("who follows a log that somebody empties goes on with what is written then", arguments: Client.available)
        func emptied(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "run", "-d", "-i", "--name", "echo", "busybox", "sh", "-c",
                    "echo first; while read line; do echo got $line; done")
                let logs = try daemon.begin(client, "logs", "-f", "echo")
                #expect(eventually { logs.output.text == "first\n" })
                let path = try daemon.ok(client, "inspect", "-f", "{{.LogPath}}", "echo")
                #expect(truncate(path, 0) == 0)
                for text in ["second", "third and longer than the first by far"] {
                    // docker stays attached when its own input has ended.
                    let attached = try daemon.command(
                        client, ["attach", "--sig-proxy=false", "echo"], input: Array("\(text)\n".utf8)
                    ).start()
                    #expect(eventually { logs.output.text.hasSuffix("got \(text)\n") })
                    attached.send(SIGTERM)
                    _ = try attached.waitForEnd()
                }
                try daemon.ok(client, "kill", "echo")
                #expect(try logs.waitForEnd().code == 0)
                #expect(
                    logs.output.text == "first\ngot second\ngot third and longer than the first by far\n")
            }
        }
    }
}
