import Foundation
import Testing

/// A person at a terminal: a pty whose other side is the controlling terminal of a command.
final class Terminal {
    private let master: Int32
    private let slave: Int32
    private let command: RunningCommand
    /// All that was ever shown.
    private(set) var seen = ""

    init(_ command: Command, columns: UInt16 = 80, rows: UInt16 = 24) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN: what unlockpt and ptsname do, which glibc shows only to those who define
        // _GNU_SOURCE.
        var locked: Int32 = 0
        var number: Int32 = 0
        guard master >= 0, ioctl(master, 0x4004_5431, &locked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
            throw Command.Failure(description: "no pty: \(String(cString: strerror(errno)))")
        }
        let path = "/dev/pts/\(number)"
        // Held open, so that reading the other side does not fail in the moment between two holders.
        slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        var command = command
        command.environment["TERM"] = "xterm"
        self.command = try command.start(terminal: path)
        _ = fcntl(master, F_SETFL, O_NONBLOCK)
    }

    deinit {
        command.send(SIGKILL)
        close(slave)
        close(master)
    }

    func type(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }

    func resize(columns: UInt16, rows: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(master, &buffer, buffer.count)
            guard count > 0 else { return }
            seen += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    /// Waits until `text` is shown.
    func waits(for text: String, within seconds: Double = 120) -> Bool {
        eventually(within: seconds) {
            read()
            return seen.contains(text)
        }
    }

    /// Waits for the command's end; its exit code.
    func waitForEnd(timeout: Double = 180) throws -> Int32 {
        let ended = eventually(within: timeout) {
            read()
            return command.hasEnded
        }
        read()
        guard ended else { throw Command.Failure(description: "\(command.commandLine): not ended; it showed: \(seen)") }
        return try command.waitForEnd().code
    }
}
