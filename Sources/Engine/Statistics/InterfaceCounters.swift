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
    package static func parse(_ text: [UInt8], names: Set<String>) -> [InterfaceCounters] {
        var result: [InterfaceCounters] = []
        var position = 0
        // Two lines of titles come first.
        for number in 0... {
            guard position < text.count else { break }
            let end = text[position...].firstIndex(of: 0x0A) ?? text.count
            defer { position = end + 1 }
            guard number >= 2, let colon = text[position..<end].firstIndex(of: 0x3A) else { continue }
            let name = String(decoding: text[position..<colon].drop { $0 == 0x20 }, as: UTF8.self)
            guard names.contains(name) else { continue }
            var place = colon + 1
            func next() -> UInt64? {
                while place < end, text[place] == 0x20 { place += 1 }
                guard place < end else { return nil }
                var value: UInt64 = 0
                while place < end, text[place] != 0x20 {
                    value = value &* 10 &+ UInt64(text[place] &- 0x30)
                    place += 1
                }
                return value
            }
            func direction() -> Direction? {
                guard let bytes = next(), let packets = next(), let errors = next(), let dropped = next() else {
                    return nil
                }
                var direction = Direction()
                (direction.bytes, direction.packets) = (bytes, packets)
                (direction.errors, direction.dropped) = (errors, dropped)
                return direction
            }
            guard let received = direction() else { continue }
            for _ in 0..<4 { _ = next() }
            guard let sent = direction() else { continue }
            var counters = InterfaceCounters(name: name)
            counters.received = received
            counters.sent = sent
            result.append(counters)
        }
        return result.count > 1 ? result.sorted { $0.name < $1.name } : result
    }
}
