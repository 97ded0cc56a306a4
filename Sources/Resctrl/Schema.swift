/// One line of a `schemata` file, such as `L3:0=7f0;1=1f`: how much of a resource each domain gives.
struct Schema: Hashable {
    /// `L3`, `MB`, `L3CODE`, …
    var resource: String
    /// By the domain's number, as the kernel reads it: without leading zeros.
    var values: [String: String]

    /// `nil` if `line` is no such line.
    init?(_ line: some StringProtocol) {
        let parts = line.split(separator: ":", maxSplits: 1).map { Self.trimmed($0) }
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        resource = String(parts[0])
        values = [:]
        for entry in parts[1].split(separator: ";") {
            let pair = entry.split(separator: "=", maxSplits: 1).map { Self.trimmed($0) }
            guard pair.count == 2 else { return nil }
            values[Self.canonical(pair[0])] = Self.canonical(pair[1])
        }
    }

    /// Whether a class of service with the lines `schemata` gives what this one asks for.
    func isMet(by schemata: [Schema]) -> Bool {
        guard let other = schemata.first(where: { $0.resource == resource }) else { return false }
        return values.allSatisfy { other.values[$0.key] == $0.value }
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let front = Substring(text).drop(while: isBlank)
        return front.lastIndex { !isBlank($0) }.map { front[...$0] } ?? ""
    }

    private static func canonical(_ number: Substring) -> String {
        let digits = number.lowercased().drop { $0 == "0" }
        return digits.isEmpty ? "0" : String(digits)
    }
}
