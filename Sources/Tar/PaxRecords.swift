/// The records of a pax extended header: `length SP keyword "=" value LF`, the length in decimal and counting itself
/// (POSIX.1, "pax Extended Header").
struct PaxRecords {
    private(set) var values: [String: [UInt8]] = [:]
    private(set) var extendedAttributes: [TarEntry.ExtendedAttribute] = []
    /// Where each of them is.
    private var attributePlaces: [[UInt8]: Int] = [:]
    /// The numbers of repeated `GNU.sparse.offset` and `GNU.sparse.numbytes` records, in order (sparse format 0.0).
    private(set) var sparseNumbers: [Int64] = []

    private static let attributePrefix = Array("SCHILY.xattr.".utf8)

    init() {}

    init(_ bytes: [UInt8]) throws(ArchiveError) {
        var position = 0
        while position < bytes.count {
            // Some writers fill the block with NULs and count them in.
            if bytes[position] == 0, bytes[position...].allSatisfy({ $0 == 0 }) { break }
            var length = 0
            var cursor = position
            while cursor < bytes.count, (0x30...0x39).contains(bytes[cursor]), length < 1 << 32 {
                length = length * 10 + Int(bytes[cursor] - 0x30)
                cursor += 1
            }
            guard cursor > position, cursor < bytes.count, bytes[cursor] == 0x20, length > cursor - position + 1,
                length <= bytes.count - position, bytes[position + length - 1] == 0x0a
            else { throw .malformed("a pax record is damaged") }
            let record = bytes[(cursor + 1)..<(position + length - 1)]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw .malformed("a pax record has no value")
            }
            try add(key: record[..<equals], value: Array(record[(equals + 1)...]))
            position += length
        }
    }

    private mutating func add(key: ArraySlice<UInt8>, value: [UInt8]) throws(ArchiveError) {
        if key.starts(with: Self.attributePrefix) {
            let name = Array(key.dropFirst(Self.attributePrefix.count))
            guard !name.isEmpty, !name.contains(0) else { throw .malformed("an extended attribute has no name") }
            let attribute = TarEntry.ExtendedAttribute(name: name, value: value)
            if let place = attributePlaces[name] {
                extendedAttributes[place] = attribute
            } else {
                attributePlaces[name] = extendedAttributes.count
                extendedAttributes.append(attribute)
            }
            return
        }
        let key = String(decoding: key, as: UTF8.self)
        switch key {
        case "GNU.sparse.offset", "GNU.sparse.numbytes":
            // They take turns, beginning with an offset.
            guard sparseNumbers.count.isMultiple(of: 2) == (key == "GNU.sparse.offset") else {
                throw .malformed("the sparse map is damaged")
            }
            sparseNumbers.append(try Self.decimal(value, key))
        case "path", "linkpath", "GNU.sparse.name":
            if value.contains(0) { throw .malformed("a name contains a NUL") }
            values[key] = value
        default: values[key] = value
        }
    }

    /// A value that is there and not empty (an empty one takes back what was said before).
    subscript(key: String) -> [UInt8]? {
        guard let value = values[key], !value.isEmpty else { return nil }
        return value
    }

    func number(_ key: String) throws(ArchiveError) -> Int64? {
        guard let value = self[key] else { return nil }
        return try Self.decimal(value, key)
    }

    /// A time: decimal seconds with an optional fraction, perhaps negative.
    func time(_ key: String) throws(ArchiveError) -> (seconds: Int64, nanoseconds: Int64)? {
        guard let value = self[key] else { return nil }
        let isNegative = value.first == UInt8(ascii: "-")
        let digits = value.dropFirst(isNegative ? 1 : 0)
        let parts = digits.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first else { throw .malformed("\(key) is not a time") }
        var seconds = try Self.decimal(Array(whole), key)
        var nanoseconds: Int64 = 0
        if parts.count == 2 {
            for index in 0..<9 {
                let byte = index < parts[1].count ? parts[1][parts[1].startIndex + index] : 0x30
                guard (0x30...0x39).contains(byte) else { throw .malformed("\(key) is not a time") }
                nanoseconds = nanoseconds * 10 + Int64(byte - 0x30)
            }
        }
        if isNegative {
            seconds = -seconds
            if nanoseconds > 0 {
                seconds -= 1
                nanoseconds = 1_000_000_000 - nanoseconds
            }
        }
        return (seconds, nanoseconds)
    }

    /// A decimal number that is not negative.
    static func decimal(_ bytes: some Collection<UInt8>, _ key: String) throws(ArchiveError) -> Int64 {
        var value: Int64 = 0
        guard !bytes.isEmpty else { throw .malformed("\(key) is not a number") }
        for byte in bytes {
            guard (0x30...0x39).contains(byte) else { throw .malformed("\(key) is not a number or is negative") }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(byte - 0x30))
            if overflow || carry { throw .malformed("\(key) is out of range") }
            value = sum
        }
        return value
    }
}
