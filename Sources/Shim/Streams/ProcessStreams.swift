import LinuxKernel
import OCISpec
import SystemPackage

/// The standard streams of one process, from the shim's side, and everybody who is attached to them.
final class ProcessStreams {
    /// The container the streams belong to.
    let containerID: String
    /// The process in it; `nil` is the first one.
    let execID: String?
    let isTerminal: Bool
    private let stdinOnce: Bool
    private let context: StreamContext
    private let log: ContainerLog?
    /// Where output for slow clients waits.
    let spill: SpillBudget
    private var input: InputSink?
    /// What clients have sent before there was a process to take it; `nil` from then on.
    private var earlyInput: [UInt8]? = []
    private var inputEndsEarly = false
    private var sources: [OutputSource] = []
    private var clients: [AttachedClient] = []
    /// The process's terminal, if it has one, while it is open.
    private(set) var terminal: ProcessTerminal?
    private var graceTimer: EventLoop.Timer?
    private var onDrained: (() -> Void)?

    init(
        containerID: String, execID: String?, isTerminal: Bool, stdinOnce: Bool, log: ContainerLog?, spill: SpillBudget,
        context: StreamContext
    ) {
        self.containerID = containerID
        self.spill = spill
        self.execID = execID
        self.isTerminal = isTerminal
        self.stdinOnce = stdinOnce
        self.log = log
        self.context = context
    }

    /// Whether somebody is attached.
    var hasClients: Bool { !clients.isEmpty }

    // MARK: Opening

    /// Takes over the shim's side of pipes.
    func open(_ pipes: StandardPipes) throws(Errno) {
        setInput(pipes.takeInput())
        if let descriptor = pipes.takeOutput() { try addSource(descriptor, .standardOutput) }
        if let descriptor = pipes.takeError() { try addSource(descriptor, .standardError) }
    }

    /// Takes over the master side of a terminal.
    func open(console: FileDescriptor, wantsInput: Bool) throws(Errno) {
        let terminal = try ProcessTerminal(console)
        self.terminal = terminal
        setInput(wantsInput ? try terminal.duplicate() : nil)
        try addSource(try terminal.duplicate(), .standardOutput)
    }

    private func setInput(_ descriptor: FileDescriptor?) {
        let early = earlyInput ?? []
        earlyInput = nil
        defer {
            for client in clients { client.continueInput() }
        }
        guard let descriptor else { return }
        let sink = InputSink(descriptor, loop: context.loop)
        sink.onRoom = { [unowned self] in
            for client in clients { client.continueInput() }
        }
        input = sink
        early.withUnsafeBytes { sink.write($0) }
        if inputEndsEarly { closeInput() }
    }

    private func addSource(_ descriptor: FileDescriptor, _ stream: OutputStream) throws(Errno) {
        do throws(Errno) {
            sources.append(
                try OutputSource(
                    descriptor, stream: stream, context: context,
                    onBytes: { [unowned self] source, count in deliver(count, from: source.stream) },
                    onEnd: { [unowned self] source in ended(source) }))
        } catch {
            descriptor.discard()
            throw error
        }
    }

    // MARK: Output

    private func deliver(_ count: Int, from stream: OutputStream) {
        log?.write(context.buffer.bytes(count), stream: stream, time: .now())
        guard !clients.isEmpty else { return }
        // The header stands before the bytes, and costs nothing to those who do not want it.
        let frame = context.buffer.frame(count, stream: stream)
        // A copy of the list: a client that has gone removes itself from it.
        for client in clients where client.wants(stream) {
            client.send(client.isFramed ? frame : context.buffer.bytes(count))
        }
    }

    private func ended(_ source: OutputSource) {
        sources.removeAll { $0 === source }
        if sources.isEmpty { drained() }
    }

    /// The process has ended: calls `completion` when all its output has been read. Other processes that have a stream
    /// open (in the background) can write for `grace` milliseconds more.
    func drain(grace: Int64, _ completion: @escaping () -> Void) {
        input?.closeNow()
        terminal?.processEnded()
        onDrained = completion
        if sources.isEmpty { return drained() }
        for source in sources { source.drain() }
        if onDrained == nil { return }
        graceTimer = context.loop.schedule(milliseconds: grace) { [unowned self] in
            graceTimer = nil
            for source in sources {
                source.drain()
                source.close()
            }
            sources = []
            drained()
        }
    }

    private func drained() {
        guard let onDrained else { return }
        self.onDrained = nil
        if let graceTimer { context.loop.cancel(graceTimer) }
        graceTimer = nil
        log?.finish()
        onDrained()
    }

    /// Gives up what is open. Clients are let go when they have all their output.
    func close() {
        input?.closeNow()
        for source in sources { source.close() }
        sources = []
        terminal?.close()
        terminal = nil
        for client in clients { client.finish() }
    }

    // MARK: Clients

    /// Attaches a connection. `first` is sent to it before any output, `received` is what has come from it already.
    func attach(
        _ socket: FileDescriptor, interest: AttachedClient.Interest, detachKeys: [UInt8], first: [UInt8],
        received: [UInt8]
    ) {
        let client = AttachedClient(
            socket, interest: interest, detachKeys: isTerminal ? detachKeys : [], first: first, streams: self,
            context: context)
        guard !client.isGone else { return }
        clients.append(client)
        client.takeInput(received)
    }

    func remove(_ client: AttachedClient) {
        clients.removeAll { $0 === client }
    }

    // MARK: Input

    /// How much input can be taken now.
    var inputRoom: Int {
        if let earlyInput { return max(0, InputSink.limit - earlyInput.count) }
        return input?.room ?? InputSink.limit
    }

    func writeInput(_ bytes: UnsafeRawBufferPointer) {
        if earlyInput != nil { earlyInput? += bytes } else { input?.write(bytes) }
    }

    /// A client that was attached to the input has ended its side, or is gone.
    func clientEndedInput() {
        if stdinOnce { closeInput() }
    }

    /// Ends the process's input after what has been written. A terminal has no end: the program gets to know of it by
    /// a character.
    func closeInput() {
        if earlyInput != nil { inputEndsEarly = true }
        if !isTerminal { input?.close() }
    }
}
