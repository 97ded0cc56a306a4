/// The order of names that people expect: numbers within them count as numbers, so that `web9` comes before `web10`.
enum NaturalOrder {
    static func precedes(_ left: String, _ right: String) -> Bool {
        var (left, right) = (Array(left.utf8)[...], Array(right.utf8)[...])
        while let first = left.first, let second = right.first {
            if isDigit(first), isDigit(second) {
                let (one, other) = (number(&left), number(&right))
                if one != other { return (one.count, one) < (other.count, other) }
            } else if first != second {
                return first < second
            } else {
                left.removeFirst()
                right.removeFirst()
            }
        }
        return left.count < right.count
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// The digits at the beginning, without leading zeros.
    private static func number(_ text: inout ArraySlice<UInt8>) -> String {
        let digits = text.prefix(while: isDigit)
        text = text.dropFirst(digits.count)
        return String(decoding: digits.drop { $0 == UInt8(ascii: "0") }, as: UTF8.self)
    }
}
