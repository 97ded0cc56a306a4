import Glibc
import SystemPackage

/// What procfs says of a thread or a process.
package enum ProcessStatusFile {
    /// The thread's umask, which umask(2) could only tell by changing it.
    package static func umask() throws(Errno) -> UInt32 {
        let file = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Errno(rawValue: errno) }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw Errno(rawValue: errno) }
        for line in buffer[..<count].split(separator: UInt8(ascii: "\n")) where line.starts(with: "Umask:".utf8) {
            let digits = line.dropFirst(6).filter { $0 != 0x20 && $0 != 0x09 }
            guard let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 8) else { break }
            return value
        }
        throw .notSupported
    }

    /// The parent of the process `pid`, by `/proc/<pid>/stat`; proc(5).
    package static func parent(of pid: Int32) throws(Errno) -> Int32 {
        let text = try Files.readText(FilePath("/proc/\(pid)/stat"))
        // The second field is the name in parentheses, which may hold anything.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 2, let parent = Int32(fields[2]) else { throw .notSupported }
        return parent
    }
}
