import DBus
import Foundation
import LinuxKernel
import SystemPackage
import Testing

/// A bus of the reference implementation, for one test.
final class TestBus {
    static let program = "/usr/bin/dbus-daemon"
    static let exists = FileManager.default.isExecutableFile(atPath: program)

    let address: DBusAddress
    private let process = Foundation.Process()
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("masu-bus-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let socket = directory.appendingPathComponent("bus").path
        address = .path(FilePath(socket))
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = [
            "--session", "--nofork", "--nopidfile", "--address=unix:path=\(socket)", "--print-address",
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        // It prints its address when it listens.
        _ = output.fileHandleForReading.availableData
    }

    deinit {
        // Not `terminate()`: SIGTERM is held back in what threads of a test program start.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
    }
}

@Suite("D-Bus connections")
struct ConnectionTests {
    private static func bus(_ method: String, _ body: [DBusValue] = []) -> DBusMessage {
        DBusMessage(
            call: method, of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", on: "org.freedesktop.DBus", body)
    }

    @Test("a bus is called and answers", .enabled(if: TestBus.exists, "needs dbus-daemon"))
    func call() throws {
        let bus = try TestBus()
        let connection = try DBusConnection(bus.address, isBus: true)
        let names = try connection.call(Self.bus("ListNames"))
        #expect(names.first?.type == .array(.string))
        let owner = try connection.call(Self.bus("GetConnectionUnixUser", [.string("org.freedesktop.DBus")]))
        #expect(owner == [.uint32(geteuid())])
    }

    @Test("an error keeps its name and words", .enabled(if: TestBus.exists, "needs dbus-daemon"))
    func error() throws {
        let bus = try TestBus()
        let connection = try DBusConnection(bus.address, isBus: true)
        #expect { try connection.call(Self.bus("NoSuchMethod")) } throws: {
            ($0 as? DBusError)?.name == "org.freedesktop.DBus.Error.UnknownMethod"
                && "\($0)".contains("NoSuchMethod")
        }
    }

    @Test("a signal that comes before the answer is not lost", .enabled(if: TestBus.exists, "needs dbus-daemon"))
    func signal() throws {
        let bus = try TestBus()
        let connection = try DBusConnection(bus.address, isBus: true)
        // NameAcquired is sent before the reply.
        #expect(try connection.call(Self.bus("RequestName", [.string("a.b.c"), .uint32(0)])) == [.uint32(1)])
        let body = try connection.signal("NameAcquired", of: "org.freedesktop.DBus") { $0.first?.text == "a.b.c" }
        #expect(body == [.string("a.b.c")])
    }

    @Test("nobody listening is said with the address")
    func nobody() {
        #expect { try DBusConnection(.path("/nowhere/socket"), isBus: true) } throws: {
            "\($0)".contains("/nowhere/socket")
        }
    }

    /// What a server hears that says `lines`, each after something of the client's, and what becomes of the client.
    private func served(_ lines: [String]) throws -> (heard: [String], result: Result<DBusConnection, DBusError>) {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("masu-sasl-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = FilePath(directory.appendingPathComponent("s").path)
        let listener = try UnixSocket.listen(at: path)
        defer { try? listener.close() }
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var heard: [String] = []
        let thread = Thread {
            defer { done.signal() }
            guard let client = try? listener.acceptConnection() else { return }
            defer { try? client.close() }
            for line in lines {
                guard let bytes = try? client.receiveMessage().bytes, !bytes.isEmpty else { return }
                heard.append(String(decoding: bytes, as: UTF8.self))
                _ = try? client.sendMessage(Array("\(line)\r\n".utf8))
            }
        }
        thread.start()
        let result: Result<DBusConnection, DBusError>
        do throws(DBusError) {
            result = .success(try DBusConnection(.path(path), isBus: false))
        } catch {
            result = .failure(error)
        }
        done.wait()
        return (heard, result)
    }

    @Test(
        "a server looks itself who connects, at once or when it has asked",
        arguments: [["DATA\r\nOK 0123"], ["OK 0123\r\nERROR"]])
    func authentication(_ lines: [String]) throws {
        let (heard, result) = try served(lines)
        #expect(heard.first == "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
        #expect(throws: Never.self) { try result.get() }
    }

    @Test("a server that lets nobody in is said so", arguments: [["REJECTED EXTERNAL"], ["DATA\r\nREJECTED"]])
    func rejected(_ lines: [String]) throws {
        let (_, result) = try served(lines)
        #expect { try result.get() } throws: { "\($0)".contains("REJECTED") }
    }
}
