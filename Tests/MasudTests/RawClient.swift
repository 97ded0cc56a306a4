import Foundation

/// Asks a daemon on a Unix socket, byte for byte.
struct RawClient {
    let socketPath: String

    struct Answer {
        let status: Int
        let head: String
        let body: String

        var json: Any? { try? JSONSerialization.jsonObject(with: Data(body.utf8)) }
    }

    enum Failure: Error { case noConnection(Int32), noAnswer(String) }

    /// A connected socket; the caller's.
    func connect() throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socketPath.utf8.prefix(107)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let error = errno
            close(descriptor)
            throw Failure.noConnection(error)
        }
        return descriptor
    }

    /// One request and its answer, which ends the connection.
    func ask(_ method: String, _ target: String, body: String? = nil) throws -> Answer {
        let descriptor = try connect()
        defer { close(descriptor) }
        var request = "\(method) \(target) HTTP/1.1\r\nHost: masu\r\nConnection: close\r\n"
        if let body { request += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        try send(request + "\r\n" + (body ?? ""), to: descriptor)
        let text = read(from: descriptor)
        guard let end = text.range(of: "\r\n\r\n"),
            let status = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw Failure.noAnswer(text) }
        return Answer(status: status, head: String(text[..<end.lowerBound]), body: String(text[end.upperBound...]))
    }

    func send(_ text: String, to descriptor: Int32) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failure.noConnection(errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Everything up to the end, or up to `ending`.
    func read(from descriptor: Int32, until ending: String? = nil) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer[..<count]
            if let ending, String(decoding: bytes, as: UTF8.self).contains(ending) { break }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
