import Glibc
import LinuxKernel
import SystemPackage

/// Pipes for splice(2), which needs one between two sockets.
///
/// A connection has one only while the kernel holds bytes of it in there, so that thousands of idle connections need
/// none.
final class PipePool {
    struct Pipe {
        let reading: FileDescriptor
        let writing: FileDescriptor

        func discard() {
            reading.discard()
            writing.discard()
        }
    }

    /// How many bytes a pipe takes at once.
    static let capacity = 256 << 10
    /// `F_SETPIPE_SZ`, which the C library declares with _GNU_SOURCE only.
    private static let setSize: Int32 = 1031
    /// How many empty pipes are kept.
    private static let spare = 4

    private var pipes: [Pipe] = []

    deinit {
        release()
    }

    /// An empty pipe.
    func take() throws(Errno) -> Pipe {
        if let pipe = pipes.popLast() { return pipe }
        let (reading, writing) = try FileDescriptor.makePipe()
        // Where the administrator allows less, the usual size does.
        _ = fcntl(writing.rawValue, Self.setSize, Int32(Self.capacity))
        return Pipe(reading: reading, writing: writing)
    }

    /// Takes back a pipe that is empty.
    func give(_ pipe: Pipe) {
        if pipes.count < Self.spare { pipes.append(pipe) } else { pipe.discard() }
    }

    /// Gives up the pipes that nobody uses.
    func release() {
        for pipe in pipes { pipe.discard() }
        pipes = []
    }
}
