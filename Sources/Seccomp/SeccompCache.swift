import CLinux
import CSeccomp
import LinuxKernel
import OCISpec
import SystemPackage

/// Compiled filters in a directory, so that each profile is compiled only once.
///
/// The name of an entry is a digest of the profile and of the build of the program, and the entry begins with both in
/// full. So two profiles with the same digest do no harm, and a newer program does not use the entries of an older one.
/// A user who can write an entry can weaken a container's filter. Therefore the cache uses no directory and no file
/// that belongs to another user or that others may write to.
package struct SeccompCache: Hashable, Sendable {
    /// Where the entries are. The first entry makes it.
    package let directory: FilePath

    /// How many entries there are at most. A machine has few profiles; callers that make a new one each time must not
    /// fill the disk.
    package static let mostEntries = 64

    /// The cache in `directory`, whose parent exists.
    package init(directory: FilePath) {
        self.directory = directory
    }

    /// The program of `profile`. If the cache cannot be read or written, the profile is compiled.
    package func program(for profile: LinuxSeccomp) throws(SeccompError) -> SeccompProgram {
        guard let key = Self.key(of: profile) else { return try SeccompProgram(compiling: profile) }
        let name = Self.name(of: key)
        // If the entry or the directory is unusable, the profile can still be compiled.
        if let known = try? read(name, key) { return known }
        let program = try SeccompProgram(compiling: profile)
        try? write(program, name, key)  // The next one compiles it again, then.
        return program
    }

    // MARK: Keys

    /// All that the compiled program depends on: the compiled parts of the profile, and the build of the compiler.
    ///
    /// - Returns: `nil` where this program's build has no name of its own.
    package static func key(of profile: LinuxSeccomp) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: 32)
        let length = key.withUnsafeMutableBytes { masu_build_id($0.baseAddress, $0.count) }
        guard length > 0 else { return nil }
        key.removeSubrange(Int(length)...)
        key.reserveCapacity(8192)
        if let version = seccomp_version()?.pointee {
            key += [version.major, version.minor, version.micro].map { UInt8(truncatingIfNeeded: $0) }
        }
        key.append(text: profile.defaultAction)
        key.append(number: profile.defaultErrnoRet.map { UInt64($0) })
        // No list and an empty one are not the same: without flags there are some by default.
        for list in [profile.architectures, profile.flags] {
            key.append(number: list.map { UInt64($0.count) })
            for text in list ?? [] { key.append(text: text) }
        }
        key.append(number: profile.listenerPath == nil ? 0 : 1)
        for rule in profile.syscalls ?? [] {
            key.append(text: rule.action)
            key.append(number: rule.errnoRet.map { UInt64($0) })
            key.append(number: UInt64(rule.names.count))
            for name in rule.names { key.append(text: name) }
            key.append(number: rule.args.map { UInt64($0.count) })
            for condition in rule.args ?? [] {
                key.append(text: condition.op)
                key.append(number: UInt64(condition.index))
                key.append(number: condition.value)
                key.append(number: condition.valueTwo)
            }
        }
        return key
    }

    /// FNV-1a, 64 bits, in hexadecimal digits.
    private static func name(of key: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }

    // MARK: Entries

    // The key's length, the key, the flags, the instructions; numbers of four bytes, the lowest first.

    private func read(_ name: String, _ key: [UInt8]) throws(Errno) -> SeccompProgram? {
        let folder = try Files.open(directory, [.path, .directory, .noFollow])
        defer { folder.discard() }
        guard try Self.isOurs(folder, .directory) else { return nil }
        let file = try Files.open(folder.procPath.appending(name), [.readOnly, .noFollow])
        defer { file.discard() }
        guard try Self.isOurs(file, .regular) else { return nil }
        let head = 4 + key.count
        // The key, the flags, and no more instructions than the kernel takes.
        let bytes = try file.readOnce(capacity: head + 4 + 4096 * 8)
        guard bytes.count >= head + 12, (bytes.count - head - 4).isMultiple(of: 8),
            bytes.number(at: 0) == UInt32(key.count), bytes[4..<head].elementsEqual(key)
        else { return nil }
        return SeccompProgram(instructions: Array(bytes[(head + 4)...]), flags: bytes.number(at: head))
    }

    private func write(_ program: SeccompProgram, _ name: String, _ key: [UInt8]) throws(Errno) {
        do { try Files.makeDirectory(directory, mode: 0o700) } catch .fileExists {}
        let folder = try Files.open(directory, [.path, .directory, .noFollow])
        defer { folder.discard() }
        guard try Self.isOurs(folder, .directory) else { return }
        let place = folder.procPath
        let names = try Files.names(in: place)
        if names.count >= Self.mostEntries {
            for name in names { try Files.remove(place.appending(name)) }
        }
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(key.count))
        bytes += key
        bytes.append(number: program.flags)
        bytes += program.instructions
        try Files.replace(place.appending(name), with: bytes)
    }

    /// Whether only this user can have written to it.
    private static func isOurs(_ descriptor: FileDescriptor, _ kind: FileStatus.Kind) throws(Errno) -> Bool {
        let status = try FileStatus.of(descriptor)
        return status.kind == kind && status.uid == ProcessAttributes.uid && status.mode & 0o022 == 0
    }
}

extension [UInt8] {
    fileprivate mutating func append(text: String) {
        // With its length in front: a text can contain any byte, so none could mark its end.
        append(number: UInt32(truncatingIfNeeded: text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(number: UInt64?) {
        guard let number else { return append(0) }
        append(1)
        append(number: UInt32(truncatingIfNeeded: number))
        append(number: UInt32(truncatingIfNeeded: number >> 32))
    }

    fileprivate mutating func append(number: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    fileprivate func number(at index: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(self[index + $1]) << UInt32($1 * 8) }
    }
}
