import LinuxKernel
import SystemPackage

/// Accepts the connections of a listening socket, which is its own.
///
/// Without descriptors or memory the loop would report the socket as ready again and again, and keep the processor busy
/// with that. So nothing is accepted for a moment then; those who connect wait in the kernel's queue.
final class Acceptor {
    /// How many connections are accepted before others have their turn.
    private static let turn = 64
    /// How long nothing is accepted when there are no descriptors left, in milliseconds.
    private static let pause: Int64 = 100

    let socket: FileDescriptor
    private let loop: EventLoop
    private let take: (FileDescriptor) -> Void
    private var watch: EventLoop.Watch?
    private var timer: EventLoop.Timer?
    private var isClosed = false

    /// Takes over a listening socket that does not block. `take` gets connections, which do not block either.
    init(_ socket: FileDescriptor, loop: EventLoop, take: @escaping (FileDescriptor) -> Void) {
        self.socket = socket
        self.loop = loop
        self.take = take
    }

    /// Whether connections are accepted, be it after a pause.
    var isStarted: Bool { watch != nil || timer != nil }

    /// Accepts connections from here on.
    func start() throws(Errno) {
        guard !isStarted else { return }
        watch = try loop.watch(socket, .readable) { [weak self] _ in self?.accept(atMost: Self.turn) }
    }

    /// Accepts no more; who connects waits.
    func stop() {
        if let watch { loop.unwatch(watch) }
        watch = nil
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    /// Closes the socket.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        stop()
        socket.discard()
    }

    /// Accepts all that have connected by now.
    func acceptAll() { accept(atMost: .max) }

    private func accept(atMost count: Int) {
        for _ in 0..<count where isStarted {
            do throws(Errno) {
                take(try socket.acceptConnection(nonBlocking: true))
            } catch {
                switch error {
                case .resourceTemporarilyUnavailable: return
                case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace: return rest()
                // A connection that was broken off before it was accepted; accept(2) lists many errors for that.
                default: continue
                }
            }
        }
    }

    private func rest() {
        stop()
        timer = loop.schedule(milliseconds: Self.pause) { [weak self] in self?.goOn() }
    }

    private func goOn() {
        timer = nil
        do throws(Errno) {
            try start()
        } catch {
            // Without memory for a watch it is tried once more.
            rest()
        }
    }
}
