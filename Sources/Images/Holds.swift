/// Layers that a running operation needs and that are not in the database yet.
struct Holds: Sendable {
    private var counts: [String: Int] = [:]

    mutating func take(_ names: some Sequence<String>) {
        for name in names { counts[name, default: 0] += 1 }
    }

    mutating func release(_ names: some Sequence<String>) {
        for name in names {
            guard let count = counts[name] else { continue }
            counts[name] = count > 1 ? count - 1 : nil
        }
    }

    func contains(_ name: String) -> Bool { counts[name] != nil }
}
