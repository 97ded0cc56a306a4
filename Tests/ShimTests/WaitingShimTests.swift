import Glibc
import JSON
import LinuxKernel
import OCISpec
import ShimProtocol
import SystemPackage
import Testing

/// Shims that are started before there is a container (`masu-shim --waiting`).
@Suite("waiting shims", .enabled(if: TestContainer.obstacle.isEmpty, "\(TestContainer.obstacle)"))
struct WaitingShimTests {
    /// A shim that waits, and the caller's end of its socket.
    private struct Waiting {
        let process: pid_t
        let caller: FileDescriptor

        init(room: Int) throws {
            let (caller, theirs) = try UnixSocket.pair(.stream)
            defer { theirs.discard() }
            self.caller = caller
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, theirs.rawValue, 1)
            let words = [TestContainer.shim.string, "--bundle", String(repeating: "-", count: room), "--waiting"]
            var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
            defer { for argument in arguments { free(argument) } }
            arguments.append(nil)
            var pid: pid_t = 0
            try #require(posix_spawn(&pid, words[0], &actions, nil, arguments, environ) == 0)
            process = pid
        }

        func file(_ name: String) throws -> String {
            String(decoding: try Files.read(FilePath("/proc/\(process)/\(name)")), as: UTF8.self)
        }

        /// What it ended with.
        func end() -> Int32 {
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            return status
        }
    }

    @Test("it launches the bundle whose path it is sent, names it in its command line, and tells its caller of the end")
    func launch() throws {
        let container = try TestContainer(["true"], isLaunched: false)
        let waiting = try Waiting(room: container.bundle.string.utf8.count + 20)
        defer { waiting.caller.discard() }
        try waiting.caller.writeEntire(Array("\(container.bundle)\n".utf8))
        let line = try waiting.caller.readLine()
        guard case .launched(let pid, let shim, _, true) = try JSON.decode(ShimLaunchResult.self, from: line) else {
            Issue.record("\(String(decoding: line, as: UTF8.self))")
            return
        }
        #expect(shim == waiting.process && pid > 0)
        #expect(try waiting.file("comm") == "masu-shim\n")
        let words = try waiting.file("cmdline").split(separator: "\0").dropFirst()
        #expect(words.joined(separator: " ") == "--bundle \(container.bundle) --child")

        try waiting.caller.writeEntire(MessageFraming.frame(AddressedRequest(.start)))
        var reader = FrameReader()
        var end: ExitRecord?
        while end == nil {
            let bytes = try waiting.caller.readOnce()
            try #require(!bytes.isEmpty, "the shim went away without a word")
            reader.append(bytes)
            while let body = try reader.next() {
                // Nobody has subscribed: the launch itself does.
                if case .event(.exited(let record), _) = try MessageFraming.message(ShimMessage.self, from: body) {
                    end = record
                }
            }
        }
        #expect(end?.exitCode == 0 && end?.warning == nil)
        #expect(waiting.end() == 0)
    }

    @Test("it ends with its caller, and says what is wrong with a bundle")
    func ends() throws {
        let alone = try Waiting(room: 10)
        alone.caller.discard()
        #expect(alone.end() == 0)

        let misled = try Waiting(room: 10)
        try misled.caller.writeEntire(Array("/nowhere/at/all\n".utf8))
        let result = try JSON.decode(ShimLaunchResult.self, from: try misled.caller.readLine())
        guard case .failed(let error) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(error.message.contains("/nowhere/at/all"))
        misled.caller.discard()
        #expect(misled.end() == 1 << 8)
    }
}
