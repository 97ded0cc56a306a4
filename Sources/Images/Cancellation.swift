import Synchronization

/// Tells blocking work that nobody waits for it any more.
final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)
    private let other: (@Sendable () -> Bool)?

    /// - Parameter other: another reason to stop.
    init(or other: (@Sendable () -> Bool)? = nil) { self.other = other }

    var isCancelled: Bool { flag.load(ordering: .relaxed) || other?() == true }

    func cancel() { flag.store(true, ordering: .relaxed) }
}
