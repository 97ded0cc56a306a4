import Foundation
import LinuxKernel
import SystemPackage
import Testing

extension Integration {
    /// A daemon whose connections break.
    @Suite("broken connections")
    struct BrokenConnections {
        /// Answers a request with success, or with the end of the connection if it is about `broken`.
        private static func serve(_ connection: FileDescriptor, broken: String) {
            var request: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 4096)
            while !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
                let count = recv(connection.rawValue, &chunk, chunk.count, 0)
                if count <= 0 { break }
                request += chunk[..<count]
            }
            if !String(decoding: request, as: UTF8.self).contains("/\(broken)/") {
                let answer = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)
                send(connection.rawValue, answer, answer.count, Int32(MSG_NOSIGNAL))
            }
            close(connection.rawValue)
        }

        @Test("what has been done to the other containers is told when a connection breaks")
        func others() throws {
            let directory = NSTemporaryDirectory() + "masu-test-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let listener = try UnixSocket.listen(at: FilePath(directory + "/socket"), mode: 0o600, backlog: 10)
            let server = Thread {
                // It waits in vain once the listener is shut down.
                while let connection = try? listener.acceptConnection() { Self.serve(connection, broken: "one") }
                close(listener.rawValue)
            }
            server.start()
            defer { shutdown(listener.rawValue, Int32(SHUT_RDWR)) }
            var command = Command(Client.masu.path, "-H", "unix://\(directory)/socket", "kill", "one", "two", "three")
            command.environment["HOME"] = directory
            let result = try command.runToEnd(timeout: 60)
            #expect(result.code == 1 && result.output == "two\nthree\n", "\(result)")
            #expect(result.errors.contains("closed the connection without an answer"), "\(result)")
        }
    }
}
