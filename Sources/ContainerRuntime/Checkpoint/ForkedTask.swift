import LinuxKernel
import SystemPackage

/// Work in a process of its own, which can change what a process has only one of: its mounts, its descriptors.
enum ForkedTask {
    /// Starts `body` in a new process, and returns when that has executed a program or ended.
    ///
    /// - Returns: The process, a child of the caller that has to be waited for.
    /// - Throws: what `body` throws; the process is gone then.
    static func start(_ what: String, _ body: () throws(RuntimeError) -> Void) throws(RuntimeError) -> Int32 {
        let (reading, writing) = try attempt(what) { () throws(Errno) in try FileDescriptor.makePipe() }
        defer { reading.discard() }
        let fork: ProcessControl.Fork
        do throws(Errno) {
            fork = try ProcessControl.fork()
        } catch {
            writing.discard()
            throw RuntimeError(.system, "\(what): \(error)")
        }
        guard case .parent(let pid, _) = fork else {
            reading.discard()
            do throws(RuntimeError) {
                // Out of the way of descriptors that get numbers which a program expects.
                let high = try attempt(what) { () throws(Errno) in try writing.duplicate(from: 100) }
                writing.discard()
                do throws(RuntimeError) {
                    try body()
                } catch {
                    // If nobody listens any more, nobody needs to know.
                    try? high.writeEntire(error.bytes)
                    ProcessControl.exit(1)
                }
            } catch {
                ProcessControl.exit(1)
            }
            ProcessControl.exit(0)
        }
        writing.discard()
        let message = try attempt(what) { () throws(Errno) in try reading.readToEnd(limit: 16384) }
        guard !message.isEmpty else { return pid }
        // It has said all there is to say, and ends.
        _ = try? ProcessControl.wait(for: pid)
        throw RuntimeError(bytes: message)
    }
}
