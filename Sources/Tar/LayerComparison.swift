import Glibc
import SystemPackage

/// Compares a directory that a layer was unpacked into with the layer: whether everything is still there and as it was.
///
/// Owner, mode, size, content, links, device numbers and extended attributes count. Times of directories do not, as the
/// kernel changes them when something is put beside.
package struct LayerComparison: ~Copyable {
    private struct Expectation {
        var entry: TarEntry
        /// A hash of the file's bytes that tells accidents, not attackers: the layer's digest was checked on the way.
        var content: UInt64 = 0
    }

    private let form: WhiteoutForm
    private var expected: [ArraySlice<UInt8>: Expectation] = [:]
    private var opaque: Set<ArraySlice<UInt8>> = []
    private var whiteouts: Set<ArraySlice<UInt8>> = []
    /// Directories, also those that are only known from what is in them.
    private var directories: Set<ArraySlice<UInt8>> = []
    /// What the layer that is being read has, which its own whiteouts do not hide.
    private var own: Set<ArraySlice<UInt8>> = []

    /// - Parameter form: What became of whiteouts in the directory. Where they were carried out, the layers below are
    ///   read first.
    package init(whiteouts form: WhiteoutForm = .overlay) { self.form = form }

    /// Reads what there should be, of one layer after the other. Nothing is written anywhere.
    package mutating func read(_ archive: TarReader, isCancelled: () -> Bool = { false }) throws(ArchiveError) {
        own = []
        while let entry = try archive.next() {
            if isCancelled() { throw .cancelled }
            guard let path = EntryPath(entry.name) else { throw .escapes(entry: entry.displayName, "leads out") }
            if path.isRoot || Whiteout.isMetadata(path) { continue }
            if path.name.starts(with: Whiteout.prefix) {
                if form == .remove { noteDirectories(of: path) }
                readWhiteout(path)
                continue
            }
            if entry.kind == .characterDevice(major: 0, minor: 0) {
                hide(path.text)
                continue
            }
            var expectation = Expectation(entry: entry)
            if entry.kind == .file {
                var hasher = ContentHash()
                while let chunk = try archive.nextChunk() {
                    hasher.update(chunk)
                    if isCancelled() { throw .cancelled }
                }
                expectation.content = hasher.value
            }
            noteDirectories(of: path)
            if entry.kind == .directory {
                directories.insert(path.text)
            } else if directories.remove(path.text) != nil {
                forget(below: path.text, sparingOwn: false)
            }
            whiteouts.remove(path.text)
            expected[path.text] = expectation
            if form == .remove { own.insert(path.text) }
        }
        try archive.drain()
    }

    private mutating func readWhiteout(_ path: EntryPath) {
        if path.name.elementsEqual(Whiteout.opaque) {
            if form == .overlay { opaque.insert(path.parent) } else { forget(below: path.parent, sparingOwn: true) }
        } else if !path.name.starts(with: Whiteout.metadataPrefix) {
            hide(path.sibling(path.name.dropFirst(Whiteout.prefix.count)).text)
        }
    }

    private mutating func hide(_ hidden: ArraySlice<UInt8>) {
        if form == .overlay {
            if expected[hidden] == nil { whiteouts.insert(hidden) }
        } else {
            if !own.contains(hidden) { expected[hidden] = nil }
            if directories.contains(hidden) { forget(below: hidden, sparingOwn: true) }
        }
    }

    private mutating func noteDirectories(of path: EntryPath) {
        var parent = path.parent
        while !parent.isEmpty, !directories.contains(parent) {
            if form == .remove, case .symbolicLink? = expected[parent]?.entry.kind {
                // The layer's own link leads elsewhere. One of a layer below is replaced by a directory, and what was
                // known by its name has another (`LowerLinks`).
                guard !own.contains(parent) else { return }
                expected[parent] = nil
                forget(below: parent, sparingOwn: true)
            }
            directories.insert(parent)
            guard let slash = parent.lastIndex(of: UInt8(ascii: "/")) else { return }
            parent = parent[..<slash]
        }
    }

    private mutating func forget(below path: ArraySlice<UInt8>, sparingOwn: Bool) {
        let prefix = path.isEmpty ? [] : path + [UInt8(ascii: "/")]
        let spared = sparingOwn ? own : []
        expected = expected.filter { !$0.key.starts(with: prefix) || spared.contains($0.key) }
    }

    /// Looks at the directory and reports what is not as it should be, in words that begin with the path.
    ///
    /// - Parameter isCancelled: asked now and then.
    package func compare(
        with directory: FilePath, isCancelled: () -> Bool = { false }, report: (String) -> Void
    ) throws(ArchiveError) {
        let root = directory.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard root >= 0 else { throw .system("open", directory.string, Errno(rawValue: errno)) }
        defer { close(root) }
        for (path, expectation) in expected.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            if isCancelled() { throw .cancelled }
            if let problem = try problem(with: expectation, at: path, in: root) {
                report("\(shownName(path)) \(problem)")
            }
        }
        for path in whiteouts.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let isThere = try find(path, in: root) { (node) throws(ArchiveError) in node.isWhiteout }
            if isThere != true { report("\(shownName(path)) is no longer hidden") }
        }
        for path in opaque.sorted(by: { $0.lexicographicallyPrecedes($1) }) where !path.isEmpty {
            let isOpaque = try find(path, in: root) { (node) throws(ArchiveError) in
                try node.overlayAttribute("opaque") == [UInt8(ascii: "y")]
            }
            if isOpaque != true { report("\(shownName(path)) no longer hides the files of lower layers") }
        }
    }

    /// Runs `body` with what is at a path, directories found as they are in a container; nil if nothing is.
    private func find<R>(
        _ path: ArraySlice<UInt8>, in root: Int32, _ body: (FileNode) throws(ArchiveError) -> R
    ) throws(ArchiveError) -> R? {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else {
            guard let node = try FileNode(Array(path), in: root) else { return nil }
            return try body(node)
        }
        let parent = RootedPath.open(root, Array(path[..<slash]) + [0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return nil }
        defer { close(parent) }
        guard let node = try FileNode(Array(path[(slash + 1)...]), in: parent) else { return nil }
        return try body(node)
    }

    private func problem(
        with expectation: Expectation, at path: ArraySlice<UInt8>, in root: Int32
    ) throws(ArchiveError) -> String? {
        let entry = expectation.entry
        let found = try find(path, in: root) { (node) throws(ArchiveError) -> String? in
            if entry.kind == .hardLink {
                return node.isDirectory || node.isWhiteout ? "is no longer the same link" : nil
            }
            guard node.kind == entry.kind else { return "is a file of another type" }
            if geteuid() == 0, node.status.st_uid != entry.owner || node.status.st_gid != entry.group {
                return "belongs to \(node.status.st_uid):\(node.status.st_gid) instead of \(entry.owner):\(entry.group)"
            }
            if entry.kind != .symbolicLink, UInt32(node.status.st_mode & 0o7777) != entry.mode & 0o7777 {
                return "has the mode \(String(node.status.st_mode & 0o7777, radix: 8)) instead of "
                    + String(entry.mode & 0o7777, radix: 8)
            }
            if entry.kind == .symbolicLink {
                guard try node.target() == entry.linkName else { return "leads elsewhere" }
            }
            if entry.kind != .directory, !Self.isTime(Int64(node.status.st_mtim.tv_sec), of: entry.modified.seconds) {
                return "was modified"
            }
            if let attribute = try missingAttribute(of: entry, node) { return "has lost its attribute \(attribute)" }
            guard entry.kind == .file else { return nil }
            guard Int64(node.status.st_size) == entry.size else {
                return "has \(node.status.st_size) bytes instead of \(entry.size)"
            }
            // Of a sparse file the archive has only the parts with data.
            guard entry.extents == nil else { return nil }
            return try Self.content(of: node) == expectation.content ? nil : "has other content"
        }
        guard let found else { return "is missing" }
        return found
    }

    /// Whether a file that had the time `expected` in the archive has the time `found` if nobody touched it. Not every
    /// file system keeps every time, ext4 none after 2446 for instance; the kernel then takes the nearest that it does.
    /// All keep what fits into 32 bits.
    private static func isTime(_ found: Int64, of expected: Int64) -> Bool {
        if expected > Int64(Int32.max) { return (Int64(Int32.max)...expected).contains(found) }
        // Some file systems begin in 1970.
        if expected < Int64(Int32.min) { return (expected...0).contains(found) }
        return found == expected || expected < 0 && found == 0
    }

    private func missingAttribute(of entry: TarEntry, _ node: FileNode) throws(ArchiveError) -> String? {
        guard !entry.extendedAttributes.isEmpty else { return nil }
        let present = try node.attributes()
        for attribute in entry.extendedAttributes where attribute.name.starts(with: "security.capability".utf8) {
            // Others may have been refused by the file system when the layer was unpacked.
            if !present.contains(attribute) { return shownName(attribute.name) }
        }
        return nil
    }

    private static func content(of node: FileNode) throws(ArchiveError) -> UInt64 {
        let file = try node.open()
        defer { close(file) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var hasher = ContentHash()
        while true {
            let count = Glibc.read(file, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", node.shown, Errno(rawValue: errno)) }
            if count == 0 { return hasher.value }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}

/// A fast hash of bytes that come in pieces of any size: eight bytes at a time, multiplied and folded.
private struct ContentHash {
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    private var rest: UInt64 = 0
    private var restCount = 0
    private var length: UInt64 = 0

    private static let factor: UInt64 = 0xd6e8_feb8_6659_fd93

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var index = 0
        while restCount != 0, index < bytes.count { take(bytes[index]); index += 1 }
        while index + 8 <= bytes.count {
            mix(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian)
            index += 8
        }
        while index < bytes.count { take(bytes[index]); index += 1 }
    }

    private mutating func take(_ byte: UInt8) {
        rest |= UInt64(byte) << (8 * UInt64(restCount))
        restCount += 1
        guard restCount == 8 else { return }
        mix(rest)
        rest = 0
        restCount = 0
    }

    private mutating func mix(_ word: UInt64) {
        let (high, low) = (state ^ word).multipliedFullWidth(by: Self.factor)
        state = high ^ low &+ word
    }

    var value: UInt64 {
        var copy = self
        copy.mix(rest)
        copy.mix(length)
        return copy.state
    }
}
