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

    /// A program that gives an answer to all that it is sent, and ends as `end` says.
    private func answer(_ end: String) throws -> HTTPConnection {
        HTTPConnection(try RelayProcess(["sh", "-c", #"printf 'HTTP/1.1 200 OK\r\n\r\nabc'; "# + end]))
    }

    @Test("an answer that ends because the relay has failed is none")
    func cutAnswer() throws {
        let connection = try answer("echo gone >&2; exit 3")
        let response = HTTPResponse(try connection.readHead(), on: connection)
        let error = #expect(throws: CommandError.self) { try response.readAll() }
        let message = error?.message ?? ""
        #expect(message.contains("exit status 3") && message.contains("stderr=gone"), "\(message)")
    }

    @Test("an answer that ends with a relay's success is whole")
    func wholeAnswer() throws {
        let connection = try answer("exit 0")
        #expect(try HTTPResponse(try connection.readHead(), on: connection).readAll() == Array("abc".utf8))
    }

    @Test("a relay that waits for more to be sent is told that there is none before its end is waited for")
    func waitingRelay() throws {
        let relay = try RelayProcess(["sh", "-c", "cat > /dev/null; exit 4"])
        defer { close(relay.descriptor) }
        #expect(relay.failure().message.contains("exit status 4"))
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
