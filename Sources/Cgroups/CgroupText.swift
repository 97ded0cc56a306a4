import Glibc

/// The text of one of the kernel's files, read in place. It must not outlive the bytes.
struct CgroupText {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// A word of the text.
    struct Word {
        fileprivate let bytes: UnsafeRawBufferPointer

        /// In bytes.
        var count: Int { bytes.count }

        static func == (word: Word, name: StaticString) -> Bool {
            guard word.bytes.count == name.utf8CodeUnitCount, let first = word.bytes.baseAddress else { return false }
            return memcmp(first, name.utf8Start, word.bytes.count) == 0
        }
    }

    /// The first number; nil if the text begins with none, as `max` does.
    var number: UInt64? {
        var position = 0
        return number(at: &position)
    }

    /// All numbers, with whatever is between them.
    var numbers: [UInt64] {
        var result: [UInt64] = []
        var position = 0
        while position < bytes.count {
            if let value = number(at: &position) { result.append(value) } else { position += 1 }
        }
        return result
    }

    /// Calls `body` for each line that has a name and a number.
    func forEachLine(_ body: (Word, UInt64) -> Void) {
        var position = 0
        while position < bytes.count {
            let end = end(of: 0x0A, from: position)
            let space = self.end(of: 0x20, from: position)
            if space < end {
                var place = space + 1
                if let value = number(at: &place) { body(word(position..<space), value) }
            }
            position = end + 1
        }
    }

    /// Lines such as `8:0 Read 4096`, or `8:0 4096` for what knows no operations.
    var legacyBlockIO: [CgroupSample.BlockIO] {
        var entries: [CgroupSample.BlockIO] = []
        forEachDevice { major, minor, rest in
            var position = rest.lowerBound
            if let value = number(at: &position) {
                entries.append(.init(major: major, minor: minor, operation: "", value: value))
                return
            }
            let space = min(end(of: 0x20, from: rest.lowerBound), rest.upperBound)
            let operation = String(decoding: bytes[rest.lowerBound..<space], as: UTF8.self)
            position = space + 1
            guard position < rest.upperBound, let value = number(at: &position) else { return }
            entries.append(.init(major: major, minor: minor, operation: operation, value: value))
        }
        return entries
    }

    /// Lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`: of each device what was read and written.
    var unifiedBlockBytes: [CgroupSample.BlockIO] {
        var entries: [CgroupSample.BlockIO] = []
        forEachDevice { major, minor, rest in
            var (read, written): (UInt64, UInt64) = (0, 0)
            var position = rest.lowerBound
            while position < rest.upperBound {
                let space = min(end(of: 0x20, from: position), rest.upperBound)
                let equals = min(end(of: 0x3D, from: position), space)
                var place = equals + 1
                if equals < space, let value = number(at: &place) {
                    if word(position..<equals) == "rbytes" { read = value }
                    if word(position..<equals) == "wbytes" { written = value }
                }
                position = space + 1
            }
            entries.append(.init(major: major, minor: minor, operation: "read", value: read))
            entries.append(.init(major: major, minor: minor, operation: "write", value: written))
        }
        return entries
    }

    /// Calls `body` for each line that begins with a device, with where the rest of the line is.
    private func forEachDevice(_ body: (UInt64, UInt64, Range<Int>) -> Void) {
        var position = 0
        while position < bytes.count {
            let end = end(of: 0x0A, from: position)
            var place = position
            if let major = number(at: &place), place < end, bytes[place] == 0x3A {
                place += 1
                if let minor = number(at: &place), place < end, bytes[place] == 0x20 {
                    body(major, minor, (place + 1)..<end)
                }
            }
            position = end + 1
        }
    }

    private func word(_ range: Range<Int>) -> Word { Word(bytes: UnsafeRawBufferPointer(rebasing: bytes[range])) }

    /// Where a byte is next, or else the end of the text.
    private func end(of byte: UInt8, from position: Int) -> Int {
        var index = position
        while index < bytes.count, bytes[index] != byte { index += 1 }
        return index
    }

    /// The number at a place, which moves behind it. What is larger than 64 bits hold is the largest number.
    private func number(at position: inout Int) -> UInt64? {
        var value: UInt64 = 0
        let first = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            let (product, isTooMuch) = value.multipliedReportingOverflow(by: 10)
            let (sum, isMore) = product.addingReportingOverflow(UInt64(bytes[position] - 0x30))
            value = isTooMuch || isMore ? .max : sum
            position += 1
        }
        return position == first ? nil : value
    }
}
