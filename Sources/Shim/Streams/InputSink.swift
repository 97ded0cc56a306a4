import LinuxKernel
import SystemPackage

/// The writing side of a process's standard input, with a little room for what the process does not read yet.
final class InputSink {
    /// How much waits at most; beyond it clients are not read from.
    static let limit = 64 << 10

    private let descriptor: FileDescriptor
    private let loop: EventLoop
    private var watch: EventLoop.Watch?
    private var waiting: [UInt8] = []
    private var closesWhenEmpty = false
    private(set) var isClosed = false
    /// Called when there is room again, or never will be.
    var onRoom: () -> Void = {}

    /// Takes over a descriptor that does not block.
    init(_ descriptor: FileDescriptor, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    deinit {
        if !isClosed { descriptor.discard() }
    }

    /// How many bytes `write` may be given.
    var room: Int { isClosed || closesWhenEmpty ? Self.limit : Self.limit - waiting.count }

    /// Passes bytes on, or keeps them; a process that does not want any more gets none.
    func write(_ bytes: UnsafeRawBufferPointer) {
        if isClosed || closesWhenEmpty { return }
        var offset = 0
        if waiting.isEmpty { offset = attempt(bytes) ?? bytes.count }
        if offset < bytes.count {
            waiting.append(contentsOf: bytes[offset...])
            wait()
        }
    }

    /// Ends the input after what has been written.
    func close() {
        closesWhenEmpty = true
        if waiting.isEmpty { closeNow() }
    }

    /// Ends the input; the process has ended.
    func closeNow() {
        guard !isClosed else { return }
        isClosed = true
        waiting = []
        if let watch { loop.unwatch(watch) }
        watch = nil
        descriptor.discard()
        onRoom()
    }

    /// How much could be written; `nil` if nobody will ever read it.
    private func attempt(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while offset < bytes.count {
            switch Transfer.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
            case .bytes(let count): offset += count
            case .wouldBlock: return offset
            case .ended, .failed:
                closeNow()
                return nil
            }
        }
        return offset
    }

    private func wait() {
        guard watch == nil, !isClosed else { return }
        do throws(Errno) {
            watch = try loop.watch(descriptor, .writable) { [unowned self] _ in continueWriting() }
        } catch {
            // Without being told when there is room, the input cannot go on.
            closeNow()
        }
    }

    private func continueWriting() {
        guard let written = waiting.withUnsafeBytes({ attempt($0) }) else { return }
        if written == waiting.count { waiting = [] } else { waiting.removeFirst(written) }
        if waiting.isEmpty {
            if let watch { loop.unwatch(watch) }
            watch = nil
            if closesWhenEmpty { return closeNow() }
        }
        if room >= Self.limit / 2 { onRoom() }
    }
}
