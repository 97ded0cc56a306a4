import Foundation
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

import Seccomp

@Suite("seccomp cache")
final class SeccompCacheTests {
    private let parent = FileManager.default.temporaryDirectory.appendingPathComponent("masu-filters-\(UUID())")
    private var directory: URL { parent.appendingPathComponent("cache") }
    private let cache: SeccompCache

    init() throws {
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        cache = SeccompCache(directory: FilePath(parent.path).appending("cache"))
    }

    deinit { try? FileManager.default.removeItem(at: parent) }  // What is left in /tmp harms nobody.

    private static func profile(_ names: [String] = ["mkdir", "rmdir"]) -> LinuxSeccomp {
        var profile = LinuxSeccomp(defaultAction: "SCMP_ACT_ALLOW")
        profile.syscalls = [LinuxSyscall(names: names, action: "SCMP_ACT_ERRNO", errnoRet: 7)]
        return profile
    }

    private func entries() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
    }

    /// Compiles, and changes what was kept: a byte of its last instruction, by which one sees that it is used.
    private func marked(_ profile: LinuxSeccomp) throws -> (original: SeccompProgram, entry: URL) {
        let original = try cache.program(for: profile)
        let entry = try #require(entries().first)
        var bytes = try Data(contentsOf: entry)
        bytes[bytes.count - 1] ^= 0x55
        try bytes.write(to: entry)
        return (original, entry)
    }

    @Test("what was compiled once is not compiled again")
    func hit() throws {
        let (original, _) = try marked(Self.profile())
        let second = try cache.program(for: Self.profile())
        #expect(second.instructions.dropLast() == original.instructions.dropLast())
        #expect(second.instructions.last == original.instructions.last.map { $0 ^ 0x55 })
        #expect(second.flags == original.flags)
        #expect(try entries().count == 1)
    }

    @Test("another profile has another entry, whatever differs")
    func misses() throws {
        _ = try marked(Self.profile())
        var others = [Self.profile(["mkdir"]), Self.profile(["rmdir", "mkdir"])]
        var changed = Self.profile()
        changed.syscalls?[0].errnoRet = 8
        others.append(changed)
        changed = Self.profile()
        changed.syscalls?[0].args = [LinuxSeccompArg(index: 1, value: 2, op: "SCMP_CMP_EQ")]
        others.append(changed)
        changed = Self.profile()
        changed.flags = ["SECCOMP_FILTER_FLAG_LOG"]
        others.append(changed)
        changed = Self.profile()
        changed.flags = []
        others.append(changed)
        changed = Self.profile()
        changed.architectures = []
        others.append(changed)
        changed = Self.profile()
        changed.defaultAction = "SCMP_ACT_LOG"
        others.append(changed)
        changed = Self.profile()
        changed.architectures = ["SCMP_ARCH_X86"]
        others.append(changed)
        for other in others { #expect(try cache.program(for: other) == SeccompProgram(compiling: other)) }
        #expect(Set(others.map { SeccompCache.key(of: $0) }).count == others.count)
        #expect(try entries().count == others.count + 1)
    }

    @Test("no two profiles have one key, whatever bytes are in their names")
    func keys() {
        #expect(
            SeccompCache.key(of: Self.profile(["a", "b\0c"])) != SeccompCache.key(of: Self.profile(["a\0b", "c"])))
        #expect(SeccompCache.key(of: Self.profile(["ab"])) != SeccompCache.key(of: Self.profile(["a", "b"])))
    }

    @Test("an entry that others may write to is not used", arguments: [0o620, 0o602])
    func foreignEntry(mode: Int) throws {
        let (original, entry) = try marked(Self.profile())
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: entry.path)
        #expect(try cache.program(for: Self.profile()) == original)
    }

    @Test("a directory that others may write to is not used")
    func foreignDirectory() throws {
        let (original, _) = try marked(Self.profile())
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
        #expect(try cache.program(for: Self.profile()) == original)
    }

    @Test("an entry or a directory of another user is not used", .enabled(if: geteuid() == 0, "needs root"))
    func otherUser() throws {
        let (original, entry) = try marked(Self.profile())
        #expect(chown(entry.path, 1, 1) == 0)
        #expect(try cache.program(for: Self.profile()) == original)
        let (_, _) = try marked(Self.profile())
        #expect(chown(directory.path, 1, 1) == 0)
        #expect(try cache.program(for: Self.profile()) == original)
    }

    @Test("a symbolic link in an entry's or the directory's place is not followed")
    func links() throws {
        let (original, entry) = try marked(Self.profile())
        let elsewhere = parent.appendingPathComponent("elsewhere")
        try FileManager.default.moveItem(at: entry, to: elsewhere)
        try FileManager.default.createSymbolicLink(at: entry, withDestinationURL: elsewhere)
        #expect(try cache.program(for: Self.profile()) == original)
        _ = try marked(Self.profile())
        let moved = parent.appendingPathComponent("moved")
        try FileManager.default.moveItem(at: directory, to: moved)
        try FileManager.default.createSymbolicLink(at: directory, withDestinationURL: moved)
        #expect(try cache.program(for: Self.profile()) == original)
    }

    @Test("an entry that is cut short or of another profile is made anew", arguments: [0, 3, 40, -9, -1])
    func damaged(length: Int) throws {
        let (original, entry) = try marked(Self.profile())
        let bytes = try Data(contentsOf: entry)
        let kept = length < 0 ? bytes.count + length : length
        try bytes.prefix(kept).write(to: entry)
        #expect(try cache.program(for: Self.profile()) == original)
        #expect(try cache.program(for: Self.profile()) == original)
        let other = Self.profile(["mkdir"])
        _ = try cache.program(for: other)
        let entries = try entries()
        try #require(entries.count == 2)
        // Each has the other's content now.
        let contents = try entries.map { try Data(contentsOf: $0) }
        try contents[1].write(to: entries[0])
        try contents[0].write(to: entries[1])
        #expect(try cache.program(for: Self.profile()) == original)
    }

    @Test("a cache is not filled without end")
    func bounded() throws {
        for index in 0..<(SeccompCache.mostEntries + 3) {
            var profile = Self.profile()
            profile.syscalls?[0].errnoRet = UInt32(index)
            _ = try cache.program(for: profile)
        }
        #expect(try entries().count == 3)
    }

    @Test("where nothing can be written there is still a program")
    func unwritable() throws {
        let cache = SeccompCache(directory: FilePath("/proc/none/cache"))
        #expect(try cache.program(for: Self.profile()) == SeccompProgram(compiling: Self.profile()))
    }

    @Test("a profile that is wrong is not kept")
    func wrong() throws {
        #expect(throws: SeccompError.self) { try cache.program(for: LinuxSeccomp(defaultAction: "SCMP_ACT_NONE")) }
        #expect(!FileManager.default.fileExists(atPath: directory.path))
    }
}
