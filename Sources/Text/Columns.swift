extension String {
    /// The text with blanks behind it up to a width in characters; a longer text stays as it is.
    package func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - self.width))
    }
}

extension StringProtocol {
    /// How many characters there are. Almost all texts of tables are ASCII, whose characters need not be looked for.
    fileprivate var width: Int { utf8.allSatisfy { $0 < 0x80 && $0 != 0x0D } ? utf8.count : count }
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
                widths[index] = max(widths[index], cell.width + gap)
            }
        }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row.dropLast(), widths) {
                line += cell
                line += String(repeating: " ", count: width - cell.width)
            }
            return line + (row.last ?? "")
        }
    }
}
