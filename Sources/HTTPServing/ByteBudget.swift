import Synchronization

/// How many bytes all requests of a server may hold in memory together.
final class ByteBudget: Sendable {
    private let limit: Int
    private let used = Atomic(0)

    /// - Parameter limit: in bytes.
    init(limit: Int) { self.limit = limit }

    /// What one request has of a budget; it goes back when the request is forgotten.
    final class Share: Sendable {
        private let budget: ByteBudget
        private let taken = Atomic(0)

        init(of budget: ByteBudget) { self.budget = budget }

        deinit { budget.used.subtract(taken.load(ordering: .relaxed), ordering: .relaxed) }

        /// So much is not counted: requests of the usual size pass whatever else goes on.
        private static let free = 64 << 10

        /// Takes what is needed to hold `bytes` in all.
        ///
        /// - Throws: `HTTPServerError.overloaded` if the budget does not have it.
        func grow(to bytes: Int) throws(HTTPServerError) {
            let more = bytes - Self.free - taken.load(ordering: .relaxed)
            guard more > 0 else { return }
            guard budget.used.add(more, ordering: .relaxed).newValue <= budget.limit else {
                budget.used.subtract(more, ordering: .relaxed)
                throw .overloaded
            }
            taken.add(more, ordering: .relaxed)
        }
    }
}
