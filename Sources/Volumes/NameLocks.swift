import Synchronization

/// Lets one at a time work on the volume of a name; the others wait in the order in which they came.
final class NameLocks: Sendable {
    /// Who waits, by names; a name is there as long as somebody works on its volume.
    private let waiting = Mutex<[String: [CheckedContinuation<Void, Never>]]>([:])

    func withLock<Value>(_ name: String, _ body: () async throws -> Value) async throws -> Value {
        await enter(name)
        defer { leave(name) }
        return try await body()
    }

    private func enter(_ name: String) async {
        await withCheckedContinuation { continuation in
            let isFree = waiting.withLock { waiting in
                if waiting[name] == nil {
                    waiting[name] = []
                    return true
                }
                waiting[name]?.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave(_ name: String) {
        let next = waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
            guard var others = waiting[name], !others.isEmpty else {
                waiting[name] = nil
                return nil
            }
            let next = others.removeFirst()
            waiting[name] = others
            return next
        }
        next?.resume()
    }
}
