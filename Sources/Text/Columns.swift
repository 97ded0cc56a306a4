extension String {
    /// The text with blanks behind it up to a width in characters; a longer text stays as it is.
    package func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}

/// Tables of text.
package enum Columns {
    /// Lines whose cells stand below each other. The last cell of a line is not padded.
    ///
    /// - Parameters:
    ///   - minimum: how wide each column is at least, in characters.
    ///   - gap: how many blanks stand at least between two columns.
    package static func aligned(
        _ rows: [[some StringProtocol]], minimum: Int = 0, gap: Int
    ) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.dropLast().enumerated() {
                if index == widths.count { widths.append(minimum) }
                widths[index] = max(widths[index], cell.count + gap)
            }
        }
        return rows.map { row in
            zip(row.dropLast(), widths).map { String($0).padded(to: $1) }.joined() + (row.last ?? "")
        }
    }
}
