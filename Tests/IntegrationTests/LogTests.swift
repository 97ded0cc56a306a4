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
                try daemon.ok(client, "run", "-d", "--name", "echo", "busybox", "sleep", "1000")
                func write(_ text: String) throws {
                    try daemon.ok(client, "exec", "echo", "sh", "-c", "echo '\(text)' >/proc/1/fd/1")
                }
                try write("first")
                let logs = try daemon.begin(client, "logs", "-f", "echo")
                #expect(eventually { logs.output.text == "first\n" })
                let path = try daemon.ok(client, "inspect", "-f", "{{.LogPath}}", "echo")
                #expect(truncate(path, 0) == 0)
                for text in ["second", "third and longer than the first by far"] {
                    try write(text)
                    #expect(eventually { logs.output.text.hasSuffix("\(text)\n") })
                }
                try daemon.ok(client, "kill", "echo")
                #expect(try logs.waitForEnd().code == 0)
                #expect(
                    logs.output.text == "first\nsecond\nthird and longer than the first by far\n")
            }
        }
    }
}
