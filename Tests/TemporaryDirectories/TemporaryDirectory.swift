import Glibc
import LinuxKernel
import SystemPackage

/// A directory of a test's own, removed with all that is in it when nobody has it any more.
package final class TemporaryDirectory: Sendable {
    /// Where it is: below `/tmp`.
    package let path: FilePath

    /// An empty directory, which others than its owner may pass as `mode` says.
    package init(mode: mode_t = 0o700) throws(Errno) {
        var template = Array("/tmp/masu-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil, chmod(template, mode) == 0 else { throw Errno(rawValue: errno) }
        path = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    deinit {
        // What cannot be removed stays in /tmp; the test has already said what it had to say.
        try? TreeRemoval.remove(path)
    }

    /// Makes or replaces a file, with the directories it is in.
    package func write(_ name: String, _ bytes: [UInt8]) throws(Errno) {
        let file = path.appending(name)
        try Files.makeDirectories(file.removingLastComponent())
        // Not by another name first: this one may be as long as a name can be.
        let descriptor = try Files.open(file, [.writeOnly, .create, .truncate], mode: 0o644)
        defer { descriptor.discard() }
        try descriptor.writeEntire(bytes)
    }

    /// The same with a text.
    package func write(_ name: String, _ text: String) throws(Errno) { try write(name, Array(text.utf8)) }

    /// Adds to a file, which need not exist.
    package func append(_ name: String, _ text: String) throws(Errno) {
        let file = try Files.open(path.appending(name), [.writeOnly, .create, .append], mode: 0o644)
        defer { file.discard() }
        try file.writeEntire(Array(text.utf8))
    }

    /// Makes a symbolic link, with the directories it is in.
    package func link(_ name: String, to target: String) throws(Errno) {
        let link = path.appending(name)
        try Files.makeDirectories(link.removingLastComponent())
        guard symlink(target, link.string) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Gives a file another name.
    package func rename(_ from: String, _ to: String) throws(Errno) {
        try Files.rename(path.appending(from), to: path.appending(to))
    }

    /// What a file contains; nil if there is none.
    package func text(_ name: String) -> String? {
        (try? Files.read(path.appending(name))).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Where a symbolic link leads; nil if there is none.
    package func target(of name: String) -> String? {
        try? FileDescriptor.workingDirectory.readSymlink(path.appending(name).string)
    }

    /// What is at a path, links not followed; nil if nothing is.
    package func status(_ name: String) -> stat? {
        var status = stat()
        return lstat(path.appending(name).string, &status) == 0 ? status : nil
    }
}
