import Foundation
import Glibc
import JSON
import LinuxKernel
import Synchronization
import SystemPackage

/// A plugin for volumes on a Unix socket: answers what it was told to, and notes what it was asked.
final class FakePlugin: Sendable {
    struct State {
        var volumes: [String: String] = [:]
        var mounted: [String: Set<String>] = [:]
        var calls: [String] = []
        /// Answers by the calls' names that take the place of the usual ones: a status and a body.
        var answers: [String: (status: Int, body: String)] = [:]
        /// Closes the connection instead of answering.
        var hangsUp: Set<String> = []
    }

    let state = Mutex(State())
    let root: FilePath
    private let socket: FileDescriptor

    /// - Parameter root: where its volumes are.
    init(at path: FilePath, root: FilePath) throws {
        self.root = root
        socket = try UnixSocket.listen(at: path)
        let socket = socket
        _ = Threads.start(name: "fake-plugin") { [weak self] in
            while let connection = try? socket.acceptConnection() {
                guard let self else { break }
                self.serve(connection)
                connection.discard()
            }
        }
    }

    /// No more answers.
    func stop() {
        shutdown(socket.rawValue, Int32(SHUT_RDWR))
        socket.discard()
    }

    var calls: [String] { state.withLock { $0.calls } }

    private func serve(_ connection: FileDescriptor) {
        guard let (method, body) = try? Self.request(connection) else { return }
        if state.withLock({ $0.hangsUp.contains(method) }) {
            state.withLock { $0.calls.append(method) }
            return
        }
        let (status, answer) = respond(method, body)
        // In chunks, as servers written in Go answer.
        let text =
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "\(String(answer.utf8.count, radix: 16))\r\n\(answer)\r\n0\r\n\r\n"
        try? connection.writeEntire(Array(text.utf8))
    }

    private static func request(_ connection: FileDescriptor) throws -> (method: String, body: JSONValue?) {
        var bytes: [UInt8] = []
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let head = text[..<end.lowerBound].split(separator: "\r\n")
                let length =
                    head.lazy.compactMap { line in
                        line.lowercased().hasPrefix("content-length:")
                            ? Int(line.dropFirst(15).filter { $0 != " " }) : nil
                    }.first ?? 0
                let body = text[end.upperBound...]
                if body.utf8.count >= length {
                    let path = head[0].split(separator: " ")[1].dropFirst()
                    return (String(path), length == 0 ? nil : try JSON.parse(String(body)))
                }
            }
            let more = try connection.readOnce()
            if more.isEmpty { throw Errno.connectionReset }
            bytes += more
        }
    }

    private func respond(_ method: String, _ body: JSONValue?) -> (Int, String) {
        state.withLock { state in
            let name = body?["Name"]?.string ?? ""
            let id = body?["ID"]?.string ?? ""
            let call = method.split(separator: ".").last.map(String.init) ?? method
            state.calls.append([call, name, id].filter { !$0.isEmpty }.joined(separator: " "))
            if let answer = state.answers[call] { return answer }
            func volume(_ name: String) -> String {
                #"{"Name":"\#(name)","Mountpoint":"\#(state.mounted[name]?.isEmpty == false ? root.appending(name).string : "")","CreatedAt":"2026-01-02T03:04:05Z","Status":{"kept":"well"}}"#
            }
            switch call {
            case "Activate": return (200, #"{"Implements":["VolumeDriver"]}"#)
            case "Capabilities": return (200, #"{"Capabilities":{"Scope":"global"}}"#)
            case "Create":
                state.volumes[name] = body?["Opts"]?.text() ?? ""
                return (200, #"{"Err":""}"#)
            case "Remove":
                state.volumes[name] = nil
                return (200, "{}")
            case "Get":
                guard state.volumes[name] != nil else { return (200, #"{"Err":"no such thing"}"#) }
                return (200, #"{"Volume":\#(volume(name)),"Err":""}"#)
            case "List":
                let all = state.volumes.keys.sorted().map(volume).joined(separator: ",")
                return (200, #"{"Volumes":[\#(all)]}"#)
            case "Mount":
                state.mounted[name, default: []].insert(id)
                return (200, #"{"Mountpoint":"\#(root.appending(name).string)"}"#)
            case "Unmount":
                state.mounted[name]?.remove(id)
                return (200, "{}")
            default: return (404, "page not found")
            }
        }
    }
}
