import Glibc
import LinuxKernel
import ShimProtocol
import SystemPackage
import Text

/// A connection that has become the standard streams of a process for somebody.
///
/// However slow it is, neither the process nor other clients notice.
final class AttachedClient {
    /// Which streams it is attached to.
    struct Interest {
        var input: Bool
        var output: Bool
        var error: Bool
        var framing: StreamFraming
    }

    private let socket: FileDescriptor
    private let interest: Interest
    private let context: StreamContext
    private unowned let streams: ProcessStreams
    private var watch: EventLoop.Watch?
    private var watched: ReadyEvents = []
    private var queue: SpillQueue
    private var scanner: DetachScanner?
    /// The client may still send.
    private var inputIsOpen = true
    /// The client has closed both directions, but what it sent before could not all be taken yet.
    private var isHungUp = false
    /// It does not take output any more.
    private var outputIsDead = false
    /// No more output will come.
    private var isFinishing = false
    private(set) var isGone = false

    /// Takes over a connected socket that does not block. `first` is sent to it before all else.
    init(
        _ socket: FileDescriptor, interest: Interest, detachKeys: [UInt8], first: [UInt8], streams: ProcessStreams,
        context: StreamContext
    ) {
        self.socket = socket
        self.interest = interest
        self.streams = streams
        self.context = context
        queue = SpillQueue(budget: streams.spill)
        scanner = DetachScanner(detachKeys)
        do throws(Errno) {
            watch = try context.loop.watch(socket, .readable) { [unowned self] in handle($0) }
        } catch {
            drop()
            return
        }
        watched = .readable
        first.withUnsafeBytes { send($0) }
    }

    deinit {
        if !isGone { socket.discard() }
    }

    /// Whether it is to be given the bytes of `stream`.
    func wants(_ stream: OutputStream) -> Bool {
        stream == .standardOutput ? interest.output : interest.error
    }

    /// Whether its output comes in frames.
    var isFramed: Bool { interest.framing == .multiplexed }

    // MARK: Output

    /// Sends bytes, at once or when the client takes them.
    func send(_ bytes: UnsafeRawBufferPointer) {
        guard !isGone, !isHungUp, !isFinishing, !outputIsDead else { return }
        var offset = 0
        if queue.isEmpty {
            sending: while offset < bytes.count {
                switch Transfer.send(socket, UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
                case .bytes(let count): offset += count
                case .wouldBlock: break sending
                case .ended, .failed: return outputIsLost()
                }
            }
        }
        guard offset < bytes.count else { return }
        do throws(Errno) {
            try queue.append(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
        } catch {
            // Beyond all limits, or the disk is full: better no client than a client with a hole in its output.
            return drop()
        }
        context.onHeavyUse()
        updateWatch()
    }

    /// Lets it go once it has all its output.
    func finish() {
        guard !isGone else { return }
        isFinishing = true
        if queue.isEmpty || isHungUp || outputIsDead { drop() }
    }

    private func flush() {
        var isLost = false
        while !queue.isEmpty, !isLost {
            var isBlocked = false
            do throws(Errno) {
                try queue.consume(scratch: context.inputBuffer.bytes) { bytes in
                    switch Transfer.send(socket, bytes) {
                    case .bytes(let count):
                        isBlocked = count < bytes.count
                        return count
                    case .wouldBlock:
                        isBlocked = true
                    case .ended, .failed:
                        isLost = true
                    }
                    return 0
                }
            } catch {
                isLost = true
            }
            if isBlocked { break }
        }
        if isLost { return outputIsLost() }
        if queue.isEmpty, isFinishing { return drop() }
        updateWatch()
    }

    // MARK: Input

    /// Reads on after the process has made room.
    func continueInput() {
        guard !isGone else { return }
        if isHungUp { readInput(events: .hangUp) } else { updateWatch() }
    }

    /// Takes what came on the connection before it became a stream.
    func takeInput(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { pass($0) }
    }

    private func handle(_ events: ReadyEvents) {
        if events.contains(.writable), !queue.isEmpty { flush() }
        if !events.isDisjoint(with: [.readable, .hangUp, .error]), !isGone { readInput(events: events) }
    }

    private func readInput(events: ReadyEvents) {
        let hasHungUp = !events.isDisjoint(with: [.hangUp, .error])
        while inputIsOpen, !isGone {
            let room = interest.input ? streams.inputRoom : Int.max
            guard room > 0 else { break }
            let space = context.inputBuffer.bytes
            let part = UnsafeMutableRawBufferPointer(rebasing: space[..<min(space.count, room)])
            switch Transfer.read(socket, into: part) {
            case .bytes(let count):
                pass(UnsafeRawBufferPointer(rebasing: part[..<count]))
            case .wouldBlock:
                return updateWatch()
            case .ended:
                endInput()
            case .failed:
                return drop()
            }
        }
        guard !isGone else { return }
        if hasHungUp {
            // Nobody is there any more. If there is still input to be taken, that comes when there is room for it;
            // until then the hang-up, which epoll would report for ever, must not be watched.
            if !inputIsOpen { return drop() }
            isHungUp = true
            if let watch { context.loop.unwatch(watch) }
            watch = nil
            return
        }
        updateWatch()
    }

    private func pass(_ bytes: UnsafeRawBufferPointer) {
        guard interest.input, !isGone else { return }
        guard scanner != nil else { return streams.writeInput(bytes) }
        // Checked just now; the copy is put back so that the scanner goes on where it was.
        guard let result = scanner?.scan(bytes) else { return }
        result.passed.withUnsafeBytes { streams.writeInput($0) }
        if result.isComplete {
            inputIsOpen = false
            context.onDetach(streams)
            finish()
        }
    }

    private func endInput() {
        inputIsOpen = false
        if interest.input { streams.clientEndedInput() }
    }

    // MARK: End

    private func outputIsLost() {
        outputIsDead = true
        queue = SpillQueue(budget: streams.spill)
        // It may have sent input before it closed; that still counts.
        if inputIsOpen, interest.input { readInput(events: .readable) } else { drop() }
    }

    /// Ends the connection.
    func drop() {
        guard !isGone else { return }
        isGone = true
        if let watch { context.loop.unwatch(watch) }
        watch = nil
        queue = SpillQueue(budget: streams.spill)
        if inputIsOpen { endInput() }
        // Input that nobody has read would make the kernel tell the client of a reset instead of the end.
        shutdown(socket.rawValue, Int32(SHUT_WR))
        while case .bytes = Transfer.read(socket, into: context.inputBuffer.bytes) {}
        socket.discard()
        streams.remove(self)
        context.onClientGone()
    }

    private func updateWatch() {
        guard let watch, !isGone else { return }
        var events: ReadyEvents = []
        if inputIsOpen, !interest.input || streams.inputRoom > 0 { events.insert(.readable) }
        if !queue.isEmpty { events.insert(.writable) }
        if events != watched {
            watched = events
            context.loop.change(watch, to: events)
        }
    }
}
