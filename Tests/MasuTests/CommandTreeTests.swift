import Flags
import MasuCommand
import Testing

@Suite("The tree of commands")
struct CommandTreeTests {
    @Test(
        "docker's command lines are understood",
        arguments: [
            "service create --name web -p 80:80 --replicas 2 nginx sh -c true", "service update --force web",
            "stack deploy -c compose.yaml app", "stack up -c a app", "swarm init --advertise-addr 10.0.0.1",
            "swarm join --token x 10.0.0.1:2377", "node update --availability drain n1", "node list -q",
            "secret create -l a=b name -", "config ls --format json", "plugin install --grant-all-permissions x a=b",
            "plugin ls -f enabled=true", "plugin disable -f x", "checkpoint create --leave-running web one",
            "checkpoint ls web", "trust inspect --pretty x", "start --checkpoint one web",
            "load --platform linux/amd64,linux/arm64", "build -t x .", "image build --progress plain .", "bake web",
            "builder prune -af", "system dial-stdio", "context create x --docker host=unix:///x",
            "--config /x -c y --tlsverify --tlscacert a ps", "inspect --type plugin x",
            "history --platform linux/arm64 x",
            "rmi --platform linux/arm64 x", "completion bash",
        ])
    func understood(_ line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let invocation = try MasuProgram.root.parse(words)
        #expect(invocation.command.action != nil)
    }

    @Test("flags of commands that refuse have docker's grammar")
    func grammar() throws {
        let error = #expect(throws: UsageError.self) { try MasuProgram.root.parse(["service", "ls", "--nonsense"]) }
        #expect(error?.message == "unknown flag: --nonsense")
        #expect(throws: UsageError.self) { try MasuProgram.root.parse(["service", "ls", "-q=maybe"]) }
        #expect(throws: UsageError.self) { try MasuProgram.root.parse(["node", "rm"]) }
    }
}
