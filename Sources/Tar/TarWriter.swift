/// Writes a tar archive as a stream: ustar headers, with a pax header before those that need more.
///
/// What is written depends on the entries alone, so that the same files make the same bytes.
package struct TarWriter: ~Copyable {
    private let sink: (UnsafeRawBufferPointer) throws(ArchiveError) -> Void
    /// Bytes of the present entry's data still to come.
    private var remaining: Int64 = 0
    private var padding = 0

    /// - Parameter sink: takes the bytes in order.
    package init(_ sink: @escaping (UnsafeRawBufferPointer) throws(ArchiveError) -> Void) { self.sink = sink }

    /// Begins an entry. A file's data follows by `write`: `entry.size` bytes, or those of its extents if it has some,
    /// one after the other (GNU's sparse format 1.0 in a pax header, which GNU tar, libarchive, Python and Go read).
    package mutating func add(_ entry: TarEntry) throws(ArchiveError) {
        precondition(remaining == 0, "the data of the entry before is not complete")
        if entry.kind == .file, let extents = entry.extents { return try addSparse(entry, extents) }
        try addHeaders(entry, Self.paxRecords(of: entry))
    }

    private mutating func addSparse(_ entry: TarEntry, _ extents: [SparseExtent]) throws(ArchiveError) {
        var header = entry
        let stored = extents.reduce(0) { $0 + $1.length }
        let map = Self.sparseMap(extents, size: entry.size)
        // A reader that does not know the format unpacks the map under this name.
        let last = entry.name.split(separator: UInt8(ascii: "/")).last ?? []
        header.name = Array("GNUSparseFile.0/".utf8) + last.filter { $0 < 0x80 }.prefix(80)
        header.extents = nil
        header.size = Int64(map.count) + stored
        try addHeaders(header, Self.paxRecords(of: header, sparse: entry))
        try emit(map)
        remaining = stored
        if remaining == 0, padding > 0 { try emit([UInt8](repeating: 0, count: padding)) }
    }

    /// The number of extents and each one's offset and length, on lines of their own, filled to whole blocks.
    private static func sparseMap(_ extents: [SparseExtent], size: Int64) -> [UInt8] {
        var all = extents
        // GNU tar ends the file where the last extent ends.
        if (all.last.map { $0.offset + $0.length } ?? 0) < size { all.append(SparseExtent(offset: size, length: 0)) }
        let lines = ["\(all.count)"] + all.flatMap { ["\($0.offset)", "\($0.length)"] }
        let text = Array((lines.joined(separator: "\n") + "\n").utf8)
        return text + [UInt8](repeating: 0, count: fill(text.count))
    }

    private mutating func addHeaders(_ entry: TarEntry, _ records: [UInt8]) throws(ArchiveError) {
        if !records.isEmpty {
            var header = TarEntry(kind: .file, name: Array("PaxHeaders/".utf8) + entry.name.suffix(80), mode: 0o644)
            header.size = Int64(records.count)
            try emit(Self.block(header, type: UInt8(ascii: "x")))
            try emit(records + [UInt8](repeating: 0, count: Self.fill(records.count)))
        }
        try emit(Self.block(entry, type: Self.type(of: entry.kind)))
        remaining = entry.kind == .file ? entry.size : 0
        padding = Self.fill(Int(remaining % 512))
        if remaining == 0 { padding = 0 }
    }

    /// Adds data of the present entry.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        precondition(Int64(bytes.count) <= remaining, "more data than the entry announced")
        guard !bytes.isEmpty else { return }
        try sink(bytes)
        remaining -= Int64(bytes.count)
        if remaining == 0, padding > 0 { try emit([UInt8](repeating: 0, count: padding)) }
    }

    /// Adds data of the present entry.
    package mutating func write(_ bytes: [UInt8]) throws(ArchiveError) {
        precondition(Int64(bytes.count) <= remaining, "more data than the entry announced")
        guard !bytes.isEmpty else { return }
        try emit(bytes)
        remaining -= Int64(bytes.count)
        if remaining == 0, padding > 0 { try emit([UInt8](repeating: 0, count: padding)) }
    }

    /// Adds all data of the present entry, `size` bytes, which `body` hands to the sink itself.
    package mutating func writeFile(
        size: Int64, _ body: () throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        precondition(size == remaining, "the data does not have the announced size")
        try body()
        remaining = 0
        if padding > 0 { try emit([UInt8](repeating: 0, count: padding)) }
    }

    /// Ends the archive with its two blocks of zeros.
    package mutating func finish() throws(ArchiveError) {
        precondition(remaining == 0, "the data of the last entry is not complete")
        try emit([UInt8](repeating: 0, count: 1024))
    }

    private func emit(_ bytes: [UInt8]) throws(ArchiveError) {
        // Array's own accessor does not pass typed errors through, hence the result.
        let result: Result<Void, ArchiveError> = bytes.withUnsafeBytes { bytes in
            do throws(ArchiveError) {
                return .success(try sink(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// How many bytes are missing to a whole block.
    private static func fill(_ count: Int) -> Int { (512 - count % 512) % 512 }

    private static func type(of kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    /// What does not fit in the header's fields.
    ///
    /// - Parameter sparse: the sparse file whose map and data the entry stores.
    private static func paxRecords(of entry: TarEntry, sparse: TarEntry? = nil) -> [UInt8] {
        var records: [UInt8] = []
        func add(_ key: [UInt8], _ value: [UInt8]) {
            let body = [0x20] + key + [UInt8(ascii: "=")] + value + [0x0a]
            // The length counts its own digits.
            var length = body.count + 1
            while String(length).utf8.count + body.count != length { length = String(length).utf8.count + body.count }
            records += Array(String(length).utf8) + body
        }
        func add(_ key: String, _ value: some CustomStringConvertible) {
            add(Array(key.utf8), Array(value.description.utf8))
        }
        if let sparse {
            add("GNU.sparse.major", 1)
            add("GNU.sparse.minor", 0)
            add(Array("GNU.sparse.name".utf8), sparse.name)
            add("GNU.sparse.realsize", sparse.size)
        }
        if split(entry.name) == nil || !entry.name.allSatisfy({ $0 < 0x80 }) { add(Array("path".utf8), entry.name) }
        if entry.linkName.count > 100 || !entry.linkName.allSatisfy({ $0 < 0x80 }) {
            add(Array("linkpath".utf8), entry.linkName)
        }
        if entry.size > 0o777_7777_7777 { add("size", entry.size) }
        if entry.owner > 0o777_7777 { add("uid", entry.owner) }
        if entry.group > 0o777_7777 { add("gid", entry.group) }
        let (seconds, nanoseconds) = entry.modified
        if nanoseconds != 0 || seconds < 0 || seconds > 0o777_7777_7777 {
            add("mtime", decimal(seconds, nanoseconds))
        }
        for attribute in entry.extendedAttributes {
            add(Array("SCHILY.xattr.".utf8) + attribute.name, attribute.value)
        }
        return records
    }

    private static func decimal(_ seconds: Int64, _ nanoseconds: Int64) -> String {
        guard nanoseconds != 0 else { return String(seconds) }
        // A negative time is written as a sign and a magnitude.
        let isNegative = seconds < 0
        let whole = isNegative ? -(seconds + 1) : seconds
        let digits = String((isNegative ? 1_000_000_000 - nanoseconds : nanoseconds) + 1_000_000_000).dropFirst()
        return (isNegative ? "-" : "") + "\(whole).\(digits)"
    }

    /// A name as prefix and rest, each fitting its field.
    private static func split(_ name: [UInt8]) -> (prefix: ArraySlice<UInt8>, rest: ArraySlice<UInt8>)? {
        if name.count <= 100 { return ([], name[...]) }
        var cut = min(name.count - 2, 155)
        while cut > 0, name.count - cut - 1 <= 100 {
            if name[cut] == UInt8(ascii: "/") { return (name[..<cut], name[(cut + 1)...]) }
            cut -= 1
        }
        return nil
    }

    private static func block(_ entry: TarEntry, type: UInt8) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Collection<UInt8>, at position: Int) {
            block.replaceSubrange(position..<position + bytes.count, with: bytes)
        }
        func put(_ number: Int64, at position: Int, digits: Int) {
            // What does not fit is in the pax header, and 0 here.
            let fits = number >= 0 && number < 1 << (3 * Int64(digits))
            let text = String(fits ? number : 0, radix: 8)
            put((String(repeating: "0", count: digits - text.utf8.count) + text).utf8, at: position)
        }
        let (prefix, rest) = split(entry.name) ?? ([], entry.name.suffix(100))
        put(rest, at: 0)
        put(Int64(entry.mode & 0o7777), at: 100, digits: 7)
        put(Int64(entry.owner), at: 108, digits: 7)
        put(Int64(entry.group), at: 116, digits: 7)
        put(entry.kind == .file ? entry.size : 0, at: 124, digits: 11)
        put(entry.modified.seconds, at: 136, digits: 11)
        block[156] = type
        put(entry.linkName.prefix(100), at: 157)
        put("ustar\u{0}00".utf8, at: 257)
        if case .characterDevice(let major, let minor) = entry.kind {
            put(Int64(major), at: 329, digits: 7)
            put(Int64(minor), at: 337, digits: 7)
        }
        if case .blockDevice(let major, let minor) = entry.kind {
            put(Int64(major), at: 329, digits: 7)
            put(Int64(minor), at: 337, digits: 7)
        }
        put(prefix, at: 345)
        put([UInt8](repeating: 0x20, count: 8), at: 148)
        put(block.reduce(Int64(0)) { $0 + Int64($1) }, at: 148, digits: 6)
        put([0, 0x20], at: 154)
        return block
    }
}
