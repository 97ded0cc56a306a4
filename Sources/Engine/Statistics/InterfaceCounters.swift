/// What has passed a network interface.
package struct InterfaceCounters: Hashable, Sendable {
    /// One direction.
    package struct Direction: Hashable, Sendable {
        /// Bytes, headers of the link included.
        package var bytes: UInt64 = 0
        /// Packets.
        package var packets: UInt64 = 0
        /// Packets that were damaged.
        package var errors: UInt64 = 0
        /// Packets for which there was no room, or no use.
        package var dropped: UInt64 = 0

        /// Nothing has passed.
        package init() {}
    }

    /// The interface's name.
    package var name: String
    /// What came in.
    package var received = Direction()
    /// What went out.
    package var sent = Direction()

    /// An interface that nothing has passed.
    package init(name: String) { self.name = name }

    /// The interfaces of a file `/proc/<pid>/net/dev` (proc(5)) that are among `names`, in alphabetical order.
    package static func parse(_ text: some Collection<UInt8>, names: Set<String>) -> [InterfaceCounters] {
        var result: [InterfaceCounters] = []
        // Two lines of titles come first.
        for line in text.split(separator: 0x0A).dropFirst(2) {
            guard let colon = line.firstIndex(of: 0x3A) else { continue }
            let name = String(decoding: line[..<colon].drop { $0 == 0x20 }, as: UTF8.self)
            guard names.contains(name) else { continue }
            let values = line[line.index(after: colon)...].split(separator: 0x20).map { digits in
                digits.reduce(UInt64(0)) { $0 &* 10 &+ UInt64($1 &- 0x30) }
            }
            guard values.count >= 12 else { continue }
            var counters = InterfaceCounters(name: name)
            counters.received = Direction(values[0..<4])
            counters.sent = Direction(values[8..<12])
            result.append(counters)
        }
        return result.sorted { $0.name < $1.name }
    }
}

extension InterfaceCounters.Direction {
    fileprivate init(_ values: ArraySlice<UInt64>) {
        let first = values.startIndex
        (bytes, packets, errors, dropped) = (values[first], values[first + 1], values[first + 2], values[first + 3])
    }
}
