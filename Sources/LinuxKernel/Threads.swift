import CLinux
import Glibc

/// Threads of the C library, for programs without Swift's concurrency.
package enum Threads {
    /// Starts a thread of its own for `body`, for work that other work waits for or that must end with its thread
    /// (entering namespaces). Returns `false` when the kernel refuses another thread.
    package static func start(name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        let box = Unmanaged.passRetained(ThreadBody(name: name, run: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 2 << 20)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
                // A thread without a name works as well.
                _ = body.name.withCString { masu_prctl_pointer(PR_SET_NAME, 0, $0) }
                body.run()
                return nil
            }, box.toOpaque())
        if result != 0 { box.release() }
        return result == 0
    }
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}
