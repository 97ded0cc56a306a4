/// Requests that are sent at once: one sendmsg(2), whose answers are collected afterwards.
///
/// The kernel carries them out one after the other, and goes on after one that fails. What it is to be told in a later
/// request, such as an interface's number, has to be chosen beforehand.
package struct Batch: Sendable {
    /// In the order in which they are carried out.
    package private(set) var requests: [Request] = []

    /// A batch of these.
    package init(_ requests: [Request] = []) {
        self.requests = requests
    }

    /// Whether there is nothing to do.
    package var isEmpty: Bool { requests.isEmpty }

    /// Adds a request at the end.
    package mutating func append(_ request: Request) {
        requests.append(request)
    }

    /// Adds requests at the end.
    package mutating func append(_ more: [Request]) {
        requests += more
    }

    /// All messages one behind the other, numbered from `sequence` on. Only that at `last` is to be acknowledged: the
    /// kernel reports failures unasked, and when it gets to that one it is done with all before it.
    func packet(sequence: UInt32, acknowledging last: Int) -> [UInt8] {
        var packet: [UInt8] = []
        packet.reserveCapacity(requests.reduce(0) { $0 + $1.bytes.count })
        for (index, request) in requests.enumerated() {
            request.append(
                to: &packet, sequence: sequence &+ UInt32(truncatingIfNeeded: index),
                flags: index == last ? Self.acknowledge : 0)
        }
        return packet
    }

    /// `NLM_F_ACK`.
    static let acknowledge: Int32 = 4
}
