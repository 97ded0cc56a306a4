/// The commands that a mistyped word may have meant.
enum NearestWords {
    /// How many are named at most.
    private static let limit = 3

    /// The names of the nearest sub-commands, the nearest first: at most two letters are other ones, missing, too many
    /// or changed places, or the word is the beginning of the name.
    static func of(_ word: String, among command: Command) -> [String] {
        let typed = Array(word.lowercased().utf8)
        guard !typed.isEmpty else { return [] }
        var found: [(name: String, distance: Int)] = []
        for candidate in command.subcommands() where !candidate.isHidden {
            let distances = ([candidate.name] + candidate.aliases).map { name in
                typed.count > 1 && name.hasPrefix(word.lowercased()) ? 1 : distance(typed, Array(name.utf8))
            }
            // Of a short word two other letters leave nothing.
            let allowed = min(2, (typed.count - 1) / 2 + (typed.count > 2 ? 0 : 1))
            if let least = distances.min(), least <= allowed { found.append((candidate.name, least)) }
        }
        guard let best = found.map(\.distance).min() else { return [] }
        return found.filter { $0.distance == best }.map(\.name).sorted().prefix(limit).map { $0 }
    }

    /// How many letters have to be changed, added, removed or swapped with their neighbour.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let change = previous[column] + (letter == other ? 0 : 1)
                var least = min(previous[column + 1] + 1, current[column] + 1, change)
                let isSwap = row > 0 && column > 0 && letter == right[column - 1] && left[row - 1] == other
                if isSwap { least = min(least, before[column - 1] + 1) }
                current.append(least)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
