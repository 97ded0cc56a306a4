import Hashing
import BlockingCalls
import CCrypt
import Glibc
import LinuxKernel
import OCISpec
import Synchronization
import SystemPackage

/// Users and their passwords' hashes, one `name:hash` a line as `htpasswd -B` writes them; read again when the file
/// changes.
package final class PasswordFile: Sendable {
    private struct State {
        var stamp: Stamp?
        var hashes: [String: String] = [:]
        /// One hash for each way of hashing (kind and cost) that the file has.
        var ways: [String: String] = [:]
        /// Digests of name and password that were right a short time ago, and until when they count: a hash costs a
        /// tenth of a second by design, and clients send the password with each request.
        var known: [Digest: Int64] = [:]
    }

    /// What tells two versions of the file apart.
    private struct Stamp: Equatable {
        let seconds: Int64
        let nanoseconds: Int64
        let inode: UInt64
        let size: Int64
    }

    private let path: FilePath
    private let hashing: Hashing
    private let state = Mutex(State())
    /// Hashing is slow on purpose: it must not keep other requests waiting.
    private let pool = BlockingPool(threads: 2, name: "passwords")

    private static let knownFor: Int64 = 300
    private static let knownLimit = 1000

    /// Hashes a password as another hash was made; nil if that cannot be.
    package typealias Hashing = @Sendable (_ password: String, _ setting: String) -> String?

    /// Reads a file.
    ///
    /// - Parameter hashing: nil for crypt(3).
    /// - Throws: `PasswordFileError`.
    package init(_ path: FilePath, hashing: Hashing? = nil) throws {
        self.path = path
        self.hashing = hashing ?? { Self.hash($0, like: $1) }
        try reload()
    }

    private func reload() throws {
        let status: FileStatus
        let bytes: [UInt8]
        do {
            status = try FileStatus.of(path)
            bytes = try Files.read(path, limit: 16 << 20)
        } catch {
            throw PasswordFileError("cannot read the password file \(path): \(error)")
        }
        let stamp = Stamp(
            seconds: status.modified.seconds, nanoseconds: status.modified.nanoseconds, inode: status.inode,
            size: status.size)
        guard state.withLock({ $0.stamp != stamp }) else { return }
        var hashes: [String: String] = [:]
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() {
            let text = line.filter { $0 != "\r" }
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
                throw PasswordFileError("\(path), line \(number + 1): expected name:hash")
            }
            let hash = String(text[text.index(after: colon)...])
            // What crypt(3) does not know it answers with a text that begins with an asterisk.
            guard hash.hasPrefix("$"), Self.hash("", like: hash)?.hasPrefix("*") == false else {
                throw PasswordFileError(
                    "\(path), line \(number + 1): the hash of the password of \"\(text[..<colon])\" has a kind that is "
                        + "not "
                        + "supported; use: htpasswd -B")
            }
            hashes[String(text[..<colon])] = hash
        }
        state.withLock { state in
            state.stamp = stamp
            state.hashes = hashes
            state.ways = Dictionary(hashes.values.map { (Self.way(of: $0), $0) }) { first, _ in first }
            state.known = [:]
        }
    }

    /// Whether there is a user of that name.
    func contains(_ name: String) -> Bool { state.withLock { $0.hashes[name] != nil } }

    /// Whether the password is that user's.
    func accepts(name: String, password: String) async throws -> Bool {
        guard !password.utf8.contains(0) else { return false }
        return try await pool.run { [self] in
            // A file that is being replaced: the users of before stay.
            try? reload()
            let key = ContentHasher.digest(of: Array("\(name)\u{0}\(password)".utf8))
            let now = RegistryStore.now()
            let (hash, isKnown, ways) = state.withLock { ($0.hashes[name], ($0.known[key] ?? 0) > now, $0.ways) }
            if isKnown, hash != nil { return true }
            // The time that an answer takes must not tell whether there is such a user: a wrong password costs one hash
            // of each way that the file has, whoever it is said to be of.
            let own = hash.map(Self.way)
            if let hash, let found = hashing(password, hash), Self.areEqual(found, hash) {
                remember(key, until: now + Self.knownFor)
                return true
            }
            for (way, setting) in ways where way != own { _ = hashing(password, setting) }
            return false
        }
    }

    private func remember(_ key: Digest, until end: Int64) {
        state.withLock { state in
            if state.known.count >= Self.knownLimit { state.known = [:] }
            state.known[key] = end
        }
    }

    /// What decides how long a hash takes: all but salt and hash, which are its last parts. bcrypt writes both as one
    /// (`$2y$10$…`), the others as two (`$6$rounds=5000$salt$hash`).
    private static func way(of hash: String) -> String {
        let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
        let isBcrypt = parts.count > 1 && parts[1].hasPrefix("2")
        return parts.dropLast(isBcrypt ? 1 : 2).joined(separator: "$")
    }

    private static func hash(_ password: String, like setting: String) -> String? {
        withUnsafeTemporaryAllocation(of: crypt_data.self, capacity: 1) { data in
            guard let data = data.baseAddress else { return nil }
            memset(data, 0, MemoryLayout<crypt_data>.size)
            return crypt_r(password, setting, data).map { String(cString: $0) }
        }
    }

    private static func areEqual(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Why a password file cannot be used.
package struct PasswordFileError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
