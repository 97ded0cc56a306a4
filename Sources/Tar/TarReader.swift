/// Reads a tar archive as a stream: ustar, pax, GNU (long names, base-256 numbers, sparse files) and the old V7 form.
///
/// `next()` gives one entry after the other; `nextChunk()` the data of the entry last given, without copying it out of
/// the buffer. Nothing in an archive makes the reader use more memory than its buffer, one megabyte for the headers of
/// an entry, and the sparse map the archive itself spells out.
package final class TarReader {
    private let source: any ByteSource
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    /// Bytes of the present entry's data that are still to be read, as stored.
    private var remaining: Int64 = 0
    /// Data of the present entry that has no place in what the entry is; it is skipped.
    private var unwanted: Int64 = 0
    /// Bytes behind the data that fill the last block.
    private var padding: Int64 = 0
    private var hasSeenAny = false

    private static let block = TarHeader.size
    /// The most that the headers of one entry may take; the same as other readers allow.
    private static let headerLimit: Int64 = 1 << 20

    /// The input may end wherever a header could begin, and within the padding of the last entry: not every writer adds
    /// the blocks of zeros, and other readers accept an input without a single byte, too. A transfer that breaks off is
    /// noticed by whoever transfers.
    package init(_ source: any ByteSource) {
        self.source = source
        buffer = .allocate(byteCount: 1 << 20, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    /// The next entry, or `nil` at the end of the archive. Data of the entry before that was not read is skipped.
    package func next() throws(ArchiveError) -> TarEntry? {
        try skipData()
        var pax = PaxRecords()
        var longName: [UInt8]?
        var longLink: [UInt8]?
        while true {
            guard let header = try nextHeader() else {
                if longName != nil || longLink != nil || !pax.values.isEmpty { throw .truncated }
                return nil
            }
            switch header.type {
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                pax = try PaxRecords(try metadata(of: header))
            case UInt8(ascii: "g"):
                // Global headers carry comments of the tool that made the archive; others do not apply them either.
                _ = try metadata(of: header)
            case UInt8(ascii: "L"):
                longName = Array(try metadata(of: header).prefix { $0 != 0 })
            case UInt8(ascii: "K"):
                longLink = Array(try metadata(of: header).prefix { $0 != 0 })
            case UInt8(ascii: "V"), UInt8(ascii: "M"), UInt8(ascii: "N"):
                throw .malformed("volumes and their labels are not supported")
            default:
                return try entry(header, pax: pax, longName: longName, longLink: longLink)
            }
        }
    }

    /// The next part of the present entry's data, or `nil` when all has been read. It is valid until the next call.
    ///
    /// For a sparse file these are the bytes of its extents, one after the other.
    package func nextChunk() throws(ArchiveError) -> UnsafeRawBufferPointer? {
        guard remaining > 0 else { return nil }
        if start == end { try fill(atLeast: 1) }
        let count = Int(min(remaining, Int64(end - start)))
        defer {
            start += count
            remaining -= Int64(count)
        }
        return UnsafeRawBufferPointer(rebasing: buffer[start..<start + count])
    }

    /// Reads from the end of the archive to the end of the stream, so that observers of the source see all of it.
    /// Padding may be anything.
    package func drain() throws(ArchiveError) {
        start = 0
        end = 0
        while try source.read(into: buffer) > 0 {}
    }

    // MARK: Blocks

    /// The next header block, still in the buffer, or `nil` at the end of the archive.
    private func nextHeader() throws(ArchiveError) -> TarHeader? {
        guard try fillBlock() else { return nil }
        let header = takeBlock()
        if header.isZero {
            // Two blocks of zeros end an archive; some writers leave it at one.
            guard try fillBlock() else { return nil }
            guard takeBlock().isZero else { throw .malformed("an entry follows a single block of zeros") }
            hasSeenAny = true
            return nil
        }
        guard header.hasValidChecksum() else {
            throw .malformed(hasSeenAny ? "the checksum of a header is wrong" : "it does not begin with a tar header")
        }
        hasSeenAny = true
        return header
    }

    private func takeBlock() -> TarHeader {
        defer { start += Self.block }
        return TarHeader(UnsafeRawBufferPointer(rebasing: buffer[start..<start + Self.block]))
    }

    /// Makes a whole block available; `false` if the stream ends just before it.
    private func fillBlock() throws(ArchiveError) -> Bool {
        if end - start >= Self.block { return true }
        if end == start {
            start = 0
            end = try source.read(into: buffer)
            if end == 0 { return false }
        }
        try fill(atLeast: Self.block)
        return true
    }

    /// Makes at least `count` bytes available. Throws `truncated` if there are not so many.
    private func fill(atLeast count: Int) throws(ArchiveError) {
        if start > 0, start == end || buffer.count - start < count {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            end -= start
            start = 0
        }
        while end - start < count {
            let got = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
            if got == 0 { throw .truncated }
            end += got
        }
    }

    private func skipData() throws(ArchiveError) {
        while try nextChunk() != nil {}
        remaining = unwanted
        unwanted = 0
        while try nextChunk() != nil {}
        try skipPadding()
    }

    /// Skips what fills the last block of an entry. Nothing is missed if the input ends within it.
    private func skipPadding() throws(ArchiveError) {
        while padding > 0 {
            if start == end {
                start = 0
                end = try source.read(into: buffer)
                if end == 0 { break }
            }
            let count = Int(min(padding, Int64(end - start)))
            start += count
            padding -= Int64(count)
        }
        padding = 0
    }

    /// The data of a header that describes the entry to come.
    private func metadata(of header: TarHeader) throws(ArchiveError) -> [UInt8] {
        let size = try header.size()
        guard (0...Self.headerLimit).contains(size) else { throw .malformed("an extended header is too long") }
        begin(stored: size)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        while let chunk = try nextChunk() { bytes.append(contentsOf: chunk) }
        try skipData()
        return bytes
    }

    private func begin(stored size: Int64) {
        remaining = size
        padding = (Int64(Self.block) - size % Int64(Self.block)) % Int64(Self.block)
    }

    // MARK: Entries

    private func entry(
        _ header: TarHeader, pax: PaxRecords, longName: [UInt8]?, longLink: [UInt8]?
    ) throws(ArchiveError) -> TarEntry {
        let name = pax["GNU.sparse.name"] ?? pax["path"] ?? longName ?? header.name
        guard !name.isEmpty else { throw .malformed("an entry has no name") }
        var entry = TarEntry(kind: try kind(header, name: name), name: name, mode: try header.mode())
        entry.linkName = pax["linkpath"] ?? longLink ?? header.linkName
        // (Not with `??`: its right-hand side cannot throw a typed error.)
        let owner = if let number = try pax.number("uid") { number } else { try header.owner() }
        let group = if let number = try pax.number("gid") { number } else { try header.group() }
        entry.owner = try Self.identifier(owner, "owner", name)
        entry.group = try Self.identifier(group, "group", name)
        entry.modified = if let time = try pax.time("mtime") { time } else { (try header.modified(), 0) }
        entry.extendedAttributes = pax.extendedAttributes
        var stored = if let size = try pax.number("size") { size } else { try header.size() }
        guard stored >= 0, stored < 1 << 60 else {
            throw .malformed("entry \"\(entry.displayName)\" has an impossible size")
        }
        // Only files have data; other kinds with a size are old writers' mistakes, and nothing follows them. What is a
        // directory by the slash of its name alone was written as a file, data and all: GNU tar and Go skip that.
        if entry.kind != .file, entry.kind != .directory || !header.isRegular { stored = 0 }
        let old = header.type == UInt8(ascii: "S") ? try gnuSparse(header) : nil
        begin(stored: stored)
        guard entry.kind == .file else {
            unwanted = remaining
            remaining = 0
            return entry
        }
        entry.size = stored
        let sparse = if let old { old } else { try paxSparse(pax) }
        if let (extents, size) = sparse {
            entry.size = size
            entry.extents = try SparseMap.validated(extents, size: size, stored: remaining, name: entry.displayName)
        }
        return entry
    }

    private func kind(_ header: TarHeader, name: [UInt8]) throws(ArchiveError) -> TarEntry.Kind {
        switch header.type {
        case _ where header.isRegular:
            // The V7 form has no type for directories but the slash.
            return name.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "7"), UInt8(ascii: "S"): return .file
        case UInt8(ascii: "1"): return .hardLink
        case UInt8(ascii: "2"): return .symbolicLink
        case UInt8(ascii: "3"), UInt8(ascii: "4"):
            let (major, minor) = try header.device()
            return header.type == UInt8(ascii: "3")
                ? .characterDevice(major: major, minor: minor) : .blockDevice(major: major, minor: minor)
        case UInt8(ascii: "5"), UInt8(ascii: "D"): return .directory
        case UInt8(ascii: "6"): return .fifo
        default:
            throw .malformed(
                "entry \"\(shownName(name))\" is of an unknown type (\(header.type))")
        }
    }

    /// User and group ids are 32 bits wide; the last one means "unchanged" to chown(2).
    private static func identifier(_ value: Int64, _ what: String, _ name: [UInt8]) throws(ArchiveError) -> UInt32 {
        guard value >= 0, value < Int64(UInt32.max) else {
            throw .malformed("entry \"\(shownName(name))\" has an impossible \(what) (\(value))")
        }
        return UInt32(value)
    }

    /// The map of GNU's old sparse form: four extents in the header, then blocks of 21.
    private func gnuSparse(_ header: TarHeader) throws(ArchiveError) -> (extents: [SparseExtent], size: Int64) {
        let size = try header.sparseRealSize()
        var extents: [SparseExtent] = []
        for index in 0..<4 {
            guard let extent = try header.sparseExtent(at: 386 + index * 24) else { break }
            extents.append(extent)
        }
        var hasMore = header.hasMoreSparse
        while hasMore {
            guard try fillBlock() else { throw .truncated }
            let continuation = takeBlock()
            for index in 0..<21 {
                guard let extent = try continuation.sparseExtent(at: index * 24) else { break }
                extents.append(extent)
            }
            guard extents.count <= SparseMap.limit else { throw .malformed("a sparse map is too long") }
            hasMore = continuation.continuationHasMoreSparse
        }
        return (extents, size)
    }

    /// The map of GNU's sparse forms in pax headers (0.0, 0.1, 1.0), or `nil` if the entry is not sparse.
    private func paxSparse(_ pax: PaxRecords) throws(ArchiveError) -> (extents: [SparseExtent], size: Int64)? {
        if let major = try pax.number("GNU.sparse.major") {
            guard major == 1, try pax.number("GNU.sparse.minor") == 0 else {
                throw .malformed("the sparse format is unknown")
            }
            guard let size = try pax.number("GNU.sparse.realsize") else {
                throw .malformed("a sparse file has no size")
            }
            return (try SparseMap.pairs(try mapInData()), size)
        }
        guard let size = try pax.number("GNU.sparse.size") else { return nil }
        if let map = pax["GNU.sparse.map"] {
            var numbers: [Int64] = []
            for text in map.split(separator: UInt8(ascii: ",")) {
                numbers.append(try PaxRecords.decimal(text, "GNU.sparse.map"))
            }
            return (try SparseMap.pairs(numbers), size)
        }
        return (try SparseMap.pairs(pax.sparseNumbers), size)
    }

    /// Sparse format 1.0: the data begins with the map, decimal numbers on lines of their own, filled to whole blocks.
    private func mapInData() throws(ArchiveError) -> [Int64] {
        var numbers: [Int64] = []
        var wanted = 1
        var line: [UInt8] = []
        while true {
            guard remaining >= Int64(Self.block) else { throw .malformed("a sparse map is damaged") }
            try fill(atLeast: Self.block)
            let block = UnsafeRawBufferPointer(rebasing: buffer[start..<start + Self.block])
            for byte in block {
                if byte != 0x0a {
                    line.append(byte)
                    guard line.count <= 20 else { throw .malformed("a sparse map is damaged") }
                    continue
                }
                let number = try PaxRecords.decimal(line, "sparse map")
                line.removeAll(keepingCapacity: true)
                if numbers.isEmpty {
                    guard number <= SparseMap.limit else { throw .malformed("a sparse map is too long") }
                    wanted = 1 + Int(number) * 2
                }
                numbers.append(number)
                if numbers.count == wanted { break }
            }
            start += Self.block
            remaining -= Int64(Self.block)
            if numbers.count == wanted { return Array(numbers.dropFirst()) }
        }
    }
}

extension TarHeader {
    /// Whether it is the header of a file, or of a directory by its name.
    fileprivate var isRegular: Bool { type == 0 || type == UInt8(ascii: "0") }
}

/// Checks of sparse maps.
enum SparseMap {
    /// The most extents a file may have.
    static let limit = 1 << 20

    static func pairs(_ numbers: [Int64]) throws(ArchiveError) -> [SparseExtent] {
        guard numbers.count.isMultiple(of: 2) else { throw .malformed("a sparse map is damaged") }
        return stride(from: 0, to: numbers.count, by: 2).map {
            SparseExtent(offset: numbers[$0], length: numbers[$0 + 1])
        }
    }

    /// The extents without empty ones, if they are in order, within the file, and make up the stored bytes exactly.
    static func validated(
        _ extents: [SparseExtent], size: Int64, stored: Int64, name: String
    ) throws(ArchiveError) -> [SparseExtent] {
        var position: Int64 = 0
        var total: Int64 = 0
        for extent in extents {
            let (end, overflow) = extent.offset.addingReportingOverflow(extent.length)
            guard extent.offset >= position, extent.length >= 0, !overflow, end <= size else {
                throw .malformed("the sparse map of \"\(name)\" is damaged")
            }
            position = end
            total += extent.length
        }
        guard size >= 0, total == stored else { throw .malformed("the sparse map of \"\(name)\" is damaged") }
        return extents.filter { $0.length > 0 }
    }
}
