import Glibc
import LinuxKernel
import SystemPackage

/// A client's connection to a published port, joined to one into the container: bytes go from socket to socket inside
/// the kernel.
///
/// Each direction ends by itself, as programs that send a request and then the end of their input expect it. A
/// direction whose reader is slow holds one pipe full of bytes, and reads nothing until that is gone. If one side
/// breaks, so does the other.
final class SplicedConnection {
    /// How many descriptors a connection has at most: two sockets, and in each direction both ends of a pipe.
    static let descriptors = 6

    /// One of both sockets.
    private final class Side {
        let socket: FileDescriptor
        var watch: EventLoop.Watch?
        var interest: ReadyEvents = []
        /// Nothing more will happen on it; what has come is still to be read.
        var isGone = false

        init(_ socket: FileDescriptor) { self.socket = socket }

        /// Closes with a reset, so that nobody takes half an answer for a whole one.
        func breakOff() {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket.rawValue, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
    }

    private let loop: EventLoop
    private let pipes: PipePool
    private var onEnd: ((SplicedConnection) -> Void)?
    private let client: Side
    private let inside: Side
    private var isConnected = false
    private var toInside = SpliceFlow()
    private var toClient = SpliceFlow()

    /// Joins two sockets that do not block, and takes care of them from here on. `inside` may still be connecting.
    init(
        client: FileDescriptor, inside: FileDescriptor, loop: EventLoop, pipes: PipePool,
        onEnd: @escaping (SplicedConnection) -> Void
    ) {
        self.loop = loop
        self.pipes = pipes
        self.onEnd = onEnd
        self.client = Side(client)
        self.inside = Side(inside)
    }

    /// Waits for the connection to be made, and carries bytes from then on.
    func begin() { watch(inside, .writable) }

    /// Ends the connection on both sides, as if the programs had broken off.
    func abort() {
        client.breakOff()
        inside.breakOff()
        end()
    }

    private func end() {
        guard let onEnd else { return }
        self.onEnd = nil
        for side in [client, inside] {
            if let watch = side.watch { loop.unwatch(watch) }
            side.socket.discard()
        }
        toInside.discard(pipes)
        toClient.discard(pipes)
        onEnd(self)
    }

    // MARK: Events

    private func happened(on side: Side, _ events: ReadyEvents) {
        guard onEnd != nil else { return }
        if !isConnected {
            if inside.socket.takeSocketError() != nil { return abort() }
            isConnected = true
        } else if events.contains(.error) {
            return abort()
        }
        if events.contains(.hangUp) { side.isGone = true }
        guard toInside.move(from: client.socket, to: inside.socket, pipes),
            toClient.move(from: inside.socket, to: client.socket, pipes)
        else { return abort() }
        if toInside.isOver && toClient.isOver { return end() }
        watch(client, SpliceFlow.interest(reading: toInside, writing: toClient))
        watch(inside, SpliceFlow.interest(reading: toClient, writing: toInside))
    }

    /// Watches one side for `events`. A side that has gone would be reported for ever: all its bytes are there already,
    /// and are read when the other side takes some.
    private func watch(_ side: Side, _ events: ReadyEvents) {
        if side.isGone && events.isEmpty {
            if let watch = side.watch { loop.unwatch(watch) }
            side.watch = nil
        } else if let watch = side.watch {
            if side.interest != events { loop.change(watch, to: events) }
            side.interest = events
        } else {
            do throws(Errno) {
                side.watch = try loop.watch(side.socket, events) { [weak self, unowned side] events in
                    self?.happened(on: side, events)
                }
                side.interest = events
            } catch {
                abort()
            }
        }
    }
}

/// One direction of a spliced connection.
struct SpliceFlow {
    /// How many bytes move before others have their turn.
    private static let turn = 1 << 20

    private var pipe: PipePool.Pipe?
    /// How many bytes are in the pipe.
    private var held = 0
    /// The source has no more.
    private var isDrained = false
    /// The end has been passed on.
    private(set) var isOver = false

    /// What a socket is to be watched for, that one direction reads from and the other writes to.
    static func interest(reading: SpliceFlow, writing: SpliceFlow) -> ReadyEvents {
        var events: ReadyEvents = []
        if !reading.isDrained && reading.held == 0 { events.insert(.readable) }
        if writing.held > 0 { events.insert(.writable) }
        return events
    }

    /// Moves what can be moved without waiting, and passes on the end. `false` means that one side is broken.
    mutating func move(from source: FileDescriptor, to target: FileDescriptor, _ pipes: PipePool) -> Bool {
        var moved = 0
        defer { returnPipe(pipes) }
        do throws(Errno) {
            while !isOver {
                if held > 0, let pipe {
                    held -= try pipe.reading.splice(into: target, count: held)
                } else if isDrained {
                    isOver = true
                    try target.shutdownSending()
                } else if moved < Self.turn {
                    if pipe == nil { pipe = try pipes.take() }
                    held = try fill(from: source)
                    isDrained = held == 0
                    moved += held
                } else {
                    return true
                }
            }
            return true
        } catch .resourceTemporarilyUnavailable {
            return true
        } catch .socketNotConnected where isOver {
            // The target has gone while the end was on its way: its own direction has ended, or is about to break.
            return true
        } catch {
            return false
        }
    }

    private func fill(from source: FileDescriptor) throws(Errno) -> Int {
        guard let pipe else { return 0 }
        return try source.splice(into: pipe.writing, count: PipePool.capacity)
    }

    private mutating func returnPipe(_ pipes: PipePool) {
        guard held == 0, let pipe else { return }
        pipes.give(pipe)
        self.pipe = nil
    }

    /// Gives up whatever is under way.
    mutating func discard(_ pipes: PipePool) {
        returnPipe(pipes)
        pipe?.discard()
        pipe = nil
    }
}
