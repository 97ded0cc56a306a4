import Glibc

/// Files of the client's own machine.
package enum LocalFile {
    /// The whole content of a file.
    ///
    /// - Throws: ``CommandError`` such as `open /nofile: no such file or directory`.
    static func read(_ path: String) throws(CommandError) -> [UInt8] {
        let descriptor = try open(path)
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw CommandError("read \(path): \(Console.words(errno))")
            }
            if count == 0 { return content }
            content += chunk[..<count]
        }
    }

    /// Opens a file for reading.
    static func open(_ path: String) throws(CommandError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandError("open \(path): \(Console.words(errno))") }
        return descriptor
    }

    /// Whether something exists at a path.
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Replaces a file's content.
    static func write(_ text: String, to path: String) throws(CommandError) {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CommandError("open \(path): \(Console.words(errno))") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw CommandError("write \(path): \(Console.words(errno))")
        }
    }

    /// An absolute form of a path, against the working directory.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        guard let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        var parts = String(cString: current).split(separator: "/")
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
