import Glibc
import MasuCommand
import Testing

@Suite("Programs that carry connections", .serialized)
struct RelayTests {
    private func waitForEnd(of process: pid_t) {
        // It is left for whoever waits for it.
        var information = siginfo_t()
        while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }

    @Test("a relay has a session of its own, so that the terminal's interrupts do not reach it")
    func session() throws {
        let relay = try RelayProcess(["cat"])
        defer { close(relay.descriptor) }
        #expect(getsid(relay.process) == relay.process)
    }

    @Test("bytes go through a relay and come back")
    func echo() throws {
        let relay = try RelayProcess(["cat"])
        defer { close(relay.descriptor) }
        #expect(write(relay.descriptor, "hello", 5) == 5)
        shutdown(relay.descriptor, Int32(SHUT_WR))
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(relay.descriptor, &bytes, bytes.count, Int32(MSG_WAITALL))
        #expect(String(decoding: bytes[..<max(0, count)], as: UTF8.self) == "hello")
    }

    @Test("nothing of a relay that has ended stays when the next one begins")
    func zombies() throws {
        func ended() throws -> pid_t {
            let relay = try RelayProcess(["cat"])
            close(relay.descriptor)
            return relay.process
        }
        let first = try ended()
        waitForEnd(of: first)
        let second = try ended()
        #expect(kill(first, 0) == -1 && errno == ESRCH)
        waitForEnd(of: second)
    }
}
