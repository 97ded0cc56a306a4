import Glibc
import LinuxKernel
import SystemPackage

/// The process of a plugin, as it is written into the file that plugins keep open (the *token*): by that a later daemon
/// tells a plugin that still runs from a process that a plugin has left behind.
package struct RunningPlugin: Hashable, Sendable {
    /// The process, which has begun in a group of its own.
    package let pid: Int32
    /// When it began, in clock ticks since the machine's start: no other process with this number has the same.
    private let startTime: UInt64

    /// What a token says; `nil` if it says nothing, as at the moment when a plugin is about to start.
    package static func read(from token: FileDescriptor) -> RunningPlugin? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { pread(token.rawValue, $0.baseAddress, $0.count, 0) }
        let words = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let pid = Int32(words[0]), pid > 1, let startTime = UInt64(words[1]) else { return nil }
        return RunningPlugin(pid: pid, startTime: startTime)
    }

    /// Whether it has not ended.
    package var isAlive: Bool {
        guard let status = Status(pid) else { return false }
        return status.startTime == startTime && !status.hasEnded
    }

    /// Kills it, and all that it has started and that has not left its group. One that has ended is no error.
    ///
    /// - Parameter patience: how long it may take until it has ended.
    /// - Throws: `resourceBusy` if it has not ended by then.
    package func kill(patience: Duration) throws(Errno) {
        let process: PIDFD
        do throws(Errno) { process = try PIDFD.open(pid) } catch {
            if error == .noSuchProcess { return }
            throw error
        }
        defer { process.close() }
        // From here on the descriptor is that of the process looked at: nobody can have its number meanwhile.
        guard let status = Status(pid), status.startTime == startTime, !status.hasEnded else { return }
        if status.group == pid { Glibc.kill(-pid, SIGKILL) }
        try? process.send(signal: SIGKILL)  // It fails for one that has ended.
        let end = ContinuousClock.now + patience
        while isAlive {
            if ContinuousClock.now >= end { throw .resourceBusy }
            Poll.pause(milliseconds: 10)
        }
    }

    // MARK: Writing

    /// The process with this number, which must not have been reaped.
    static func of(_ pid: Int32) -> RunningPlugin? {
        Status(pid).map { RunningPlugin(pid: pid, startTime: $0.startTime) }
    }

    /// Lets a token say nothing.
    static func erase(from token: FileDescriptor) throws(Errno) {
        if ftruncate(token.rawValue, 0) != 0 { throw Errno(rawValue: errno) }
    }

    /// Writes it into a token. Where that cannot be done, a later daemon waits for the plugin, and does not kill it.
    func write(to token: FileDescriptor) {
        let bytes = Array("\(pid) \(startTime)\n".utf8)
        _ = bytes.withUnsafeBytes { pwrite(token.rawValue, $0.baseAddress, $0.count, 0) }
    }

    /// What `/proc/<pid>/stat` says; proc(5).
    private struct Status {
        let group: Int32
        let startTime: UInt64
        /// It is a zombie, or about to become one.
        let hasEnded: Bool

        init?(_ pid: Int32) {
            // A process that has been reaped has no such file.
            guard let text = try? Files.readText(FilePath("/proc/\(pid)/stat")) else { return nil }
            // The second field is the name in parentheses, which may hold anything.
            guard let nameEnd = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: nameEnd)...].split(separator: " ")
            guard fields.count > 19, let group = Int32(fields[2]), let startTime = UInt64(fields[19]) else {
                return nil
            }
            self.group = group
            self.startTime = startTime
            hasEnded = ["Z", "X"].contains(fields[0])
        }
    }
}
