import Glibc
import LinuxKernel
import SystemPackage

/// A directory for one test, removed with the object.
final class TemporaryDirectory: Sendable {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/masu-tasks-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    deinit {
        try? TreeRemoval.remove(path)
    }

    func write(_ name: String, _ text: String) throws {
        let file = path.appending(name)
        try Files.makeDirectories(file.removingLastComponent())
        try Files.replace(file, with: Array(text.utf8), mode: 0o644)
    }

    func append(_ name: String, _ text: String) throws {
        let file = try Files.open(path.appending(name), [.writeOnly, .create, .append], mode: 0o644)
        defer { file.discard() }
        try file.writeEntire(Array(text.utf8))
    }

    func link(_ name: String, to target: String) throws {
        let link = path.appending(name)
        try Files.makeDirectories(link.removingLastComponent())
        guard symlink(target, link.string) == 0 else { throw Errno(rawValue: errno) }
    }

    func rename(_ from: String, _ to: String) throws {
        guard Glibc.rename(path.appending(from).string, path.appending(to).string) == 0 else {
            throw Errno(rawValue: errno)
        }
    }
}
