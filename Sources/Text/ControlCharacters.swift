extension String {
    /// The text with its control characters written out (`\\u001b`), so that a terminal shows them instead of obeying
    /// them.
    ///
    /// Written out are the C0 and C1 controls, DEL, and the marks that turn the direction of writing, with which a text
    /// can look like another one. The notation is JSON's, so that a JSON document stays one.
    ///
    /// - Parameter keepsLines: whether line feeds and tabs stay as they are: true for texts of several lines, false for
    ///   what has to stay within a line or a cell of a table.
    package func showingControls(keepsLines: Bool = true) -> String {
        guard unicodeScalars.contains(where: { Self.isControl($0, keepsLines) }) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            guard Self.isControl(scalar, keepsLines) else {
                result.unicodeScalars.append(scalar)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar, _ keepsLines: Bool) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: !keepsLines
        case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
