import Glibc
import LinuxKernel
import SystemPackage

/// The reading side of a process's output.
final class OutputSource {
    /// What is read at most before others get their turn.
    private static let readsAtOnce = 16
    /// What is worth reading at once, in bytes.
    private static let portion = 4096
    /// How long a busy process's output is let come together, in microseconds; a pipe has room for much more.
    private static let pause: UInt32 = 200

    let stream: OutputStream
    private let descriptor: FileDescriptor
    private let context: StreamContext
    private var watch: EventLoop.Watch?
    /// When less than `portion` was read.
    private var lastLittle = 0
    /// Called with the number of bytes that are in the context's buffer now.
    private let onBytes: (OutputSource, Int) -> Void
    private let onEnd: (OutputSource) -> Void

    /// Takes over a descriptor that does not block.
    init(
        _ descriptor: FileDescriptor, stream: OutputStream, context: StreamContext,
        onBytes: @escaping (OutputSource, Int) -> Void, onEnd: @escaping (OutputSource) -> Void
    ) throws(Errno) {
        self.stream = stream
        self.descriptor = descriptor
        self.context = context
        self.onBytes = onBytes
        self.onEnd = onEnd
        watch = try context.loop.watch(descriptor, .readable) { [unowned self] _ in
            if isBusy { usleep(Self.pause) }
            read(atMost: Self.readsAtOnce)
        }
    }

    /// Reads what there is, up to a bound in case somebody keeps on writing.
    func drain() {
        read(atMost: 1024)
    }

    /// Stops reading.
    func close() {
        guard let watch else { return }
        context.loop.unwatch(watch)
        self.watch = nil
        descriptor.discard()
    }

    /// Whether there was little to read just now. A process that writes line by line would have us wake up, and write
    /// to the log, for each one, and would be interrupted by it each time; what it writes is better let come together.
    private var isBusy: Bool { lastLittle == Self.tick() }

    /// The kernel's clock in steps of some milliseconds, which costs next to nothing to read.
    private static func tick() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    }

    private func read(atMost limit: Int) {
        let space = context.buffer.space
        for _ in 0..<limit {
            guard watch != nil else { return }
            switch Transfer.read(descriptor, into: space) {
            case .bytes(let count):
                if count > 16384 { context.onHeavyUse() }
                onBytes(self, count)
                if count < Self.portion {
                    lastLittle = Self.tick()
                    return
                }
            case .wouldBlock:
                return
            case .ended, .failed:
                // A terminal whose other side is closed by all gives EIO.
                close()
                onEnd(self)
                return
            }
        }
    }
}
