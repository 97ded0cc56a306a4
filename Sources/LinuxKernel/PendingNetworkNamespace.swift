import CLinux
import SystemPackage

/// A network namespace that the kernel makes while this process goes on: it takes the better part of a millisecond.
///
/// Until it is there the process has a second thread.
package final class PendingNetworkNamespace {
    private var pending: OpaquePointer?

    /// Begins to make one; `nil` if there can be no thread for it.
    package init?() {
        pending = masu_pending_network()
        if pending == nil { return nil }
    }

    deinit {
        // Nobody wanted it.
        if let namespace = take() { namespace.discard() }
    }

    /// Waits for the namespace and returns a descriptor of it, which the caller closes; `nil` if it could not be made, or has been
    /// taken already.
    package func take() -> FileDescriptor? {
        guard let pending else { return nil }
        self.pending = nil
        let descriptor = masu_pending_result(pending)
        return descriptor < 0 ? nil : FileDescriptor(rawValue: descriptor)
    }
}
