/// The part of a blob that a request asks for (RFC 9110, 14.1.2).
enum ByteRange: Hashable {
    /// All of it: there is no range, or one of a kind that need not be understood.
    case whole
    case part(first: Int64, last: Int64)
    /// There is nothing of what is asked for.
    case unsatisfiable

    /// Reads a `Range` header for something of `size` bytes.
    ///
    /// Several ranges at once are answered with the whole, as the RFC permits.
    init(_ header: String?, size: Int64) {
        guard let header, header.lowercased().hasPrefix("bytes=") else {
            self = .whole
            return
        }
        let text = header.dropFirst(6).filter { $0 != " " }
        guard !text.contains(","), let dash = text.firstIndex(of: "-") else {
            self = .whole
            return
        }
        let (left, right) = (text[..<dash], text[text.index(after: dash)...])
        let first = Self.number(left)
        let last = Self.number(right)
        switch (left.isEmpty, right.isEmpty) {
        case (true, true): self = .whole
        case (true, false):
            guard let last else { self = .whole; return }
            self = last > 0 && size > 0 ? .part(first: max(0, size - last), last: size - 1) : .unsatisfiable
        case (false, true):
            guard let first else { self = .whole; return }
            self = first < size ? .part(first: first, last: size - 1) : .unsatisfiable
        case (false, false):
            guard let first, let last else { self = .whole; return }
            self = first <= last && first < size ? .part(first: first, last: min(last, size - 1)) : .unsatisfiable
        }
    }

    /// A number of digits alone; one too large for 64 bits is as good as the largest.
    private static func number(_ text: Substring.SubSequence) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text) ?? .max
    }
}

/// What a chunk of an upload says about its place: `Content-Range: 0-1023` (distribution-spec, "Pushing a blob in
/// chunks"), with or without the unit and the total that HTTP would have.
struct ContentRange: Hashable {
    let first: Int64
    let last: Int64

    /// - Throws: `RegistryError` (BLOB_UPLOAD_INVALID) for what cannot be read.
    init(_ header: String) throws(RegistryError) {
        var text = header[...]
        if text.hasPrefix("bytes ") { text = text.dropFirst(6) }
        text = text.prefix { $0 != "/" }
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let first = Int64(parts[0]), let last = Int64(parts[1]), first >= 0, last >= first - 1
        else {
            throw RegistryError(.invalid, .blobUploadInvalid, "invalid Content-Range: \"\(header)\"")
        }
        self.first = first
        self.last = last
    }

    /// How many bytes the chunk has to have.
    var count: Int64 { last - first + 1 }
}
