import Flags
import MasuCommand
import Testing

@Suite("Completion")
struct CompletionTests {
    private func request(_ words: String...) -> CompletionRequest {
        CompletionRequest(words, root: MasuProgram.root) { $0 == "compose" }
    }

    private func sources(_ words: String...) -> [CompletionSource] {
        CompletionSource.sources(
            for: CompletionRequest(words, root: MasuProgram.root) { $0 == "compose" })
    }

    @Test("the first word is a command, below a group it is one of the group")
    func commands() {
        #expect(request("").place == .command)
        #expect(request("ru").structural?.contains { $0.word == "run" } == true)
        #expect(request("network", "").structural?.map(\.word).contains("connect") == true)
        #expect(request("").structural?.contains { $0.word == "__complete" } == false)
    }

    @Test("flags stand where a word begins with a dash")
    func flags() {
        let words = request("run", "--").structural?.map(\.word) ?? []
        #expect(words.contains("--rm") && words.contains("--network") && words.contains("--help"))
        #expect(!words.contains("--kernel-memory"))
        #expect(request("-").structural?.contains { $0.word == "--context" } == true)
    }

    @Test("what follows a flag that needs a value is its value, in every spelling")
    func values() {
        #expect(request("run", "--network", "").place == .value(flag: "network", prefix: ""))
        #expect(request("run", "--network=b").place == .value(flag: "network", prefix: "--network="))
        #expect(request("run", "-itv", "").place == .value(flag: "volume", prefix: ""))
        #expect(request("run", "-it", "").place == .operand(0))
        #expect(request("run", "-v/a:/b", "").place == .operand(0))
        #expect(request("-H", "unix:///x", "ps", "-f", "").place == .value(flag: "filter", prefix: ""))
        #expect(request("-c", "").place == .value(flag: "context", prefix: ""))
    }

    @Test("operands come from the daemon, by command and position")
    func operands() {
        #expect(sources("stop", "") == [.containers(["running"])])
        #expect(sources("container", "start", "") == [.containers(["created", "exited"])])
        #expect(sources("exec", "") == [.containers(["running"])])
        #expect(sources("exec", "web", "").isEmpty)
        #expect(sources("run", "--rm", "") == [.images])
        #expect(sources("run", "debian", "").isEmpty)
        #expect(sources("rmi", "a", "") == [.images])
        #expect(sources("network", "connect", "") == [.networks])
        #expect(sources("network", "connect", "front", "") == [.containers([])])
        #expect(sources("context", "use", "") == [.contexts])
        #expect(sources("run", "--network", "") == [.networks, .words(["host", "none"])])
        #expect(sources("cp", "") == [.containers([]), .files])
    }

    @Test("behind the program of a container nothing is a flag of this one")
    func program() {
        #expect(request("run", "debian", "ls", "-").place == .operand(2))
        #expect(request("exec", "web", "--").place == .operand(1))
        #expect(request("rm", "--", "-").place == .operand(0))
    }

    @Test("what follows a plugin's name is the plugin's")
    func plugin() {
        #expect(request("compose", "up", "--").place == .plugin("compose"))
        #expect(request("-D", "compose", "").place == .plugin("compose"))
    }

    @Test("there are scripts for three shells, and they name the program", arguments: ["bash", "zsh", "fish"])
    func scripts(_ shell: String) throws {
        let script = try #require(CompletionScript.of(shell, for: "boxes"))
        #expect(script.contains("boxes") && !script.contains("PROGRAM"))
        #expect(CompletionScript.of("tcsh", for: "boxes") == nil)
    }
}
