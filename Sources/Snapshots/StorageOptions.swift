/// What `--storage-opt` says: each driver takes out what it knows, and refuses the rest.
struct StorageOptions {
    private var rest: [String]

    init(_ options: [String]) {
        rest = options
    }

    /// The value of `name`, the last if it is given several times.
    mutating func value(_ name: String) -> String? {
        var found: String?
        rest.removeAll { option in
            guard option.hasPrefix(name + "=") else { return false }
            found = String(option.dropFirst(name.utf8.count + 1))
            return true
        }
        return found
    }

    mutating func boolean(_ name: String) throws(SnapshotError) -> Bool? {
        guard let text = value(name) else { return nil }
        guard text == "true" || text == "false" else {
            throw .option("invalid storage option \(name)=\(text): must be true or false")
        }
        return text == "true"
    }

    /// A number of bytes, with one of the letters k, m, g and t behind it perhaps.
    mutating func bytes(_ name: String) throws(SnapshotError) -> Int64? {
        guard let text = value(name) else { return nil }
        let units: [Character: Int64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        var digits = text.lowercased()[...]
        if digits.hasSuffix("b") { digits = digits.dropLast() }
        var unit: Int64 = 1
        if let last = digits.last, let known = units[last] {
            unit = known
            digits = digits.dropLast()
        }
        guard let number = Int64(digits), number > 0, number <= Int64.max / unit else {
            throw .option("invalid storage option \(name)=\(text): must be a size such as 10G")
        }
        return number * unit
    }

    /// Refuses what nobody took.
    func finish(driver: String) throws(SnapshotError) {
        guard let option = rest.first else { return }
        throw .option("unknown storage option \"\(option)\" for the storage driver \(driver)")
    }
}
