// The standard library implements such functions with regular expressions. A program that uses one of them is linked
// with the whole engine: more than a megabyte, which would slow down a program that lives for milliseconds.

extension StringProtocol {
    /// Whether `part` occurs in this text, byte for byte; an empty one always does.
    package func holds(_ part: String) -> Bool {
        let bytes = utf8
        return part.isEmpty || bytes.indices.contains { bytes[$0...].starts(with: part.utf8) }
    }

    /// The pieces between occurrences of `separator`, in order: at least one, and empty ones too. An empty separator
    /// occurs nowhere.
    package func pieces(separatedBy separator: String) -> [String] {
        let bytes = utf8
        var pieces: [String] = []
        var start = startIndex
        var next = startIndex
        while next < endIndex {
            if !separator.isEmpty, bytes[next...].starts(with: separator.utf8) {
                pieces.append(String(self[start..<next]))
                next = bytes.index(next, offsetBy: separator.utf8.count)
                start = next
            } else {
                next = bytes.index(after: next)
            }
        }
        pieces.append(String(self[start...]))
        return pieces
    }
}
