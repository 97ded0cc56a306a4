import LinuxKernel
import OCISpec
import SystemPackage

/// What a program in a container gets as its environment: of variables that are there twice the last one, and a `HOME`.
struct ProcessEnvironment {
    /// `NAME=value`, each name once.
    let entries: [String]

    /// Called in the container, in which a missing or empty `HOME` is looked up for `uid`.
    init(_ list: [String], uid: UInt32) throws(RuntimeError) {
        var seen: Set<[UInt8]> = []
        var result: [String] = []
        var hasHome = false
        for entry in list.reversed() {
            let name = try Self.name(of: entry)
            guard seen.insert(Array(name)).inserted else { continue }
            if name.elementsEqual("HOME".utf8) {
                if entry.utf8.count == "HOME=".utf8.count { continue }
                hasHome = true
            }
            result.append(entry)
        }
        result.reverse()
        if !hasHome { result.append("HOME=" + Self.home(of: uid)) }
        entries = result
    }

    /// Refuses what is no variable.
    static func check(_ list: [String]) throws(RuntimeError) {
        for entry in list { _ = try name(of: entry) }
    }

    subscript(name: String) -> String? {
        entries.first { $0.utf8.starts(with: (name + "=").utf8) }.map {
            String(decoding: $0.utf8.dropFirst(name.utf8.count + 1), as: UTF8.self)
        }
    }

    private static func name(of entry: String) throws(RuntimeError) -> Substring.UTF8View {
        guard let end = entry.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            throw RuntimeError(.invalid, "invalid environment variable \"\(entry)\": missing '='")
        }
        guard end != entry.utf8.startIndex else {
            throw RuntimeError(.invalid, "invalid environment variable \"\(entry)\": name cannot be empty")
        }
        return entry[..<end].utf8
    }

    /// The sixth field of the first line of `/etc/passwd` with `uid` as its third; the root where there is none.
    private static func home(of uid: UInt32) -> String {
        // A container without the file has no homes.
        guard let handle = try? Files.open("/etc/passwd", [.path, .noFollow]) else { return "/" }
        defer { handle.discard() }
        // The file can be a FIFO, and opening it must not block.
        guard (try? FileStatus.of(handle))?.kind == .regular,
            // As above.
            let bytes = try? Files.read(handle.procPath, limit: 10 << 20)
        else { return "/" }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            if fields.count > 5, fields[2].elementsEqual("\(uid)".utf8), !fields[5].isEmpty {
                return String(decoding: fields[5], as: UTF8.self)
            }
        }
        return "/"
    }
}
