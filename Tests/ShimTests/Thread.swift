import Glibc
import LinuxKernel
import Synchronization

/// Something that goes on at the same time, with a result.
final class Thread<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    init(_ body: @escaping @Sendable () -> Value) {
        _ = Threads.start(name: "test") { [self] in
            let result = body()
            value.withLock { $0 = result }
        }
    }

    /// Waits for the result.
    func join() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            usleep(1000)
        }
    }
}
