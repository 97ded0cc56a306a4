/// Decompression of DEFLATE (RFC 1951), for files of some megabytes: this program carries no library for it.
struct Inflation {
    /// What cannot be decompressed.
    struct Damage: Error {}

    private var input: ArraySlice<UInt8>
    /// The next bits of the input, the lowest first.
    private var (bits, count) = (UInt32(0), 0)
    private var output: [UInt8] = []
    private let limit: Int

    private init(_ input: ArraySlice<UInt8>, limit: Int) {
        self.input = input
        self.limit = limit
    }

    /// The decompressed bytes.
    ///
    /// - Throws: ``Damage`` for what is no DEFLATE, and where there are more bytes than `limit`.
    static func bytes(of input: ArraySlice<UInt8>, limit: Int) throws(Damage) -> [UInt8] {
        var inflation = Inflation(input, limit: limit)
        while try !inflation.block() {}
        return inflation.output
    }

    /// Decompresses a block. Whether it was the last.
    private mutating func block() throws(Damage) -> Bool {
        let isLast = try take(1) == 1
        switch try take(2) {
        case 0: try stored()
        case 1: try compressed(Self.fixedLiterals, Self.fixedDistances)
        case 2:
            let (literals, distances) = try tables()
            try compressed(literals, distances)
        default: throw Damage()
        }
        return isLast
    }

    private mutating func take(_ wanted: Int) throws(Damage) -> Int {
        while count < wanted {
            guard let byte = input.popFirst() else { throw Damage() }
            bits |= UInt32(byte) << UInt32(count)
            count += 8
        }
        let value = bits & (1 << UInt32(wanted) - 1)
        bits >>= UInt32(wanted)
        count -= wanted
        return Int(value)
    }

    private mutating func write(_ byte: UInt8) throws(Damage) {
        guard output.count < limit else { throw Damage() }
        output.append(byte)
    }

    /// Section 3.2.4.
    private mutating func stored() throws(Damage) {
        (bits, count) = (0, 0)
        let length = try take(16)
        guard try take(16) == ~length & 0xFFFF, input.count >= length, output.count + length <= limit else {
            throw Damage()
        }
        output += input.prefix(length)
        input = input.dropFirst(length)
    }

    // MARK: Codes

    /// A Huffman code: how many symbols have each length, and the symbols in the order of their codes.
    private struct Table {
        private(set) var counts = [Int](repeating: 0, count: 16)
        private(set) var symbols: [Int] = []

        init(_ lengths: [Int]) {
            for length in lengths { counts[length] += 1 }
            counts[0] = 0
            for wanted in 1..<16 { symbols += lengths.indices.filter { lengths[$0] == wanted } }
        }
    }

    private static let fixedLiterals = Table(
        (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
    private static let fixedDistances = Table([Int](repeating: 5, count: 30))

    private mutating func symbol(_ table: Table) throws(Damage) -> Int {
        var (code, first, index) = (0, 0, 0)
        for length in 1..<16 {
            code |= try take(1)
            let number = table.counts[length]
            if code - first < number { return table.symbols[index + code - first] }
            index += number
            first = (first + number) << 1
            code <<= 1
        }
        throw Damage()
    }

    /// Section 3.2.7.
    private mutating func tables() throws(Damage) -> (Table, Table) {
        let (literals, distances, codes) = (try take(5) + 257, try take(5) + 1, try take(4) + 4)
        var lengths = [Int](repeating: 0, count: 19)
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        for index in 0..<codes { lengths[order[index]] = try take(3) }
        let table = Table(lengths)
        lengths = []
        while lengths.count < literals + distances {
            let found = try symbol(table)
            switch found {
            case 16:
                guard let last = lengths.last else { throw Damage() }
                lengths += [Int](repeating: last, count: 3 + (try take(2)))
            case 17: lengths += [Int](repeating: 0, count: 3 + (try take(3)))
            case 18: lengths += [Int](repeating: 0, count: 11 + (try take(7)))
            default: lengths.append(found)
            }
        }
        guard lengths.count == literals + distances else { throw Damage() }
        return (Table(Array(lengths[..<literals])), Table(Array(lengths[literals...])))
    }

    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145, 8193, 12289, 16385, 24577,
    ]

    /// Section 3.2.5.
    private mutating func compressed(_ literals: Table, _ distances: Table) throws(Damage) {
        while true {
            let found = try symbol(literals)
            if found < 256 {
                try write(UInt8(found))
                continue
            }
            if found == 256 { return }
            guard found - 257 < Self.lengthBases.count else { throw Damage() }
            let length = Self.lengthBases[found - 257] + (try take(Self.lengthBits[found - 257]))
            let slot = try symbol(distances)
            guard slot < Self.distanceBases.count else { throw Damage() }
            let distance = Self.distanceBases[slot] + (try take(max(0, slot / 2 - 1)))
            guard distance <= output.count else { throw Damage() }
            for _ in 0..<length { try write(output[output.count - distance]) }
        }
    }
}
