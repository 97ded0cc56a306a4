import CShim
import Glibc
import LinuxKernel
import Netlink
import OCISpec
import ShimProtocol
import SystemPackage

/// The process behind a container, or behind several that share name spaces (a pod): it owns their streams, logs and
/// exit records, reaps their processes and serves requests.
///
/// It depends on nobody: with no engine connected, or ever again, the containers run on and their ends are written
/// down.
///
///     let shim = try Shim(home: "/run/masu/pods/a")
///     let pid = try shim.create(bundle: "/run/masu/pods/a")           // with new name spaces
///     let other = try shim.create(bundle: "/run/masu/pods/a/web")     // its config.json joins /proc/<pid>/ns/net, …
///     shim.run()                                                      // to the end of the last one
///
/// Requests name the container they are about by its id (`AddressedRequest`); without a name it is the first. A
/// container that ends does not end the others, unless the kernel does: the processes of a pid name space end with the
/// first of them. The shim ends with its last container, as soon as those who are connected know.
///
/// The process must have a single thread, and be prepared by `becomeBackgroundProcess`.
package final class Shim {
    /// Where the shim is in its life.
    private enum Stage {
        /// Containers live, and new clients are welcome.
        case serving(Acceptor)
        /// All containers have ended, and the shim is about to.
        case leaving(Farewell)
    }

    /// What a shim without containers still waits for. Attached clients get all output in any case.
    private enum Farewell {
        /// Clients that have not been told of the end.
        case untilKnown
        /// Clients that have not got all answers.
        case untilAnswered
        /// No others.
        case untilDelivered
    }

    /// How long a client that is connected and has not asked for the exit status is waited for, in milliseconds.
    private static let farewell: Int64 = 10_000

    let loop: EventLoop
    let context: StreamContext
    let exemption: OutOfMemoryExemption
    private let home: Bundle
    private var stage: Stage
    private(set) var containers: [SupervisedContainer] = []
    /// Containers that nobody asks for any more, with clients that have not got all their output.
    private var departing: [SupervisedContainer] = []
    /// The id of the container that requests without a name are about.
    private var first: String?
    private var clients: [ControlClient] = []
    private var trim: EventLoop.Timer?
    /// By which elements of ports were removed last.
    private var firewall: NetfilterSocket?
    /// The exit codes of processes that ended before an external runtime has said that they are execs.
    private var orphans: [Int32: Int32] = [:]

    /// A shim without containers, whose socket is bound in the directory `home`.
    ///
    /// - Throws: `conflict` if there is a shim already.
    package convenience init(home: FilePath) throws(ShimError) { try self.init(home: Bundle(home)) }

    init(home: Bundle) throws(ShimError) {
        self.home = home
        exemption = OutOfMemoryExemption()
        try home.clear()
        let loop = try attempt("epoll_create") { () throws(Errno) in try EventLoop() }
        self.loop = loop
        context = try attempt("mmap") { () throws(Errno) in try StreamContext(loop: loop) }
        let listener = try home.listen()
        // Replaced below, when there is a self for the handler.
        stage = .leaving(.untilDelivered)
        do throws(Errno) {
            let acceptor = Acceptor(listener, loop: loop) { [unowned self] in add($0) }
            try acceptor.start()
            stage = .serving(acceptor)
            let signals = try SignalSet([SIGCHLD]).makeDescriptor()
            _ = try loop.watch(signals, .readable) { [unowned self] _ in
                // What it says does not matter, nor does an error: all children are asked.
                while case .some(.some) = try? Signals.next(from: signals) {}
                reap()
            }
        } catch {
            listener.discard()
            home.removeSocket()
            throw ShimError(.system, "cannot start the shim: \(error)")
        }
        context.onHeavyUse = { [unowned self] in scheduleTrim() }
        context.onClientGone = { [unowned self] in endIfPossibleSoon() }
        context.onDetach = { [unowned self] streams in
            container(streams.containerID)?.tell(.detached(execID: streams.execID))
        }
        scheduleTrim()
    }

    /// Makes this process one that can be a shim: a session leader of the background and the parent of orphans, in `/`,
    /// with all signals held back.
    package static func becomeBackgroundProcess() throws(ShimError) {
        try attempt("cannot become a background process") { () throws(Errno) in
            // Nothing but SIGCHLD, by its descriptor, is of interest: a shim ends with its containers. SIGPIPE is held
            // back instead of being ignored because the containers' processes would inherit that.
            SignalSet.all.block()
            try ProcessAttributes.startSession()
            try ProcessAttributes.setChildSubreaper(true)
            let null = try Files.open("/dev/null", .readWrite)
            for number: Int32 in 0...2 { try null.duplicate(onto: number) }
            null.discard()
            WorkingDirectory.setCreationMask(0o022)
            try WorkingDirectory.change(to: "/")
        }
    }

    /// Serves until the last container has ended and everybody knows.
    package func run() {
        loop.run()
        leaveFirewall()
    }

    /// Keeps a connection by which a container has removed its elements, for the end.
    func keep(_ socket: NetfilterSocket?) {
        if let socket { firewall = socket }
    }

    /// Closes the connection to the firewall when the kernel has freed what was removed by it. Until then a process
    /// that closes one waits for that, and all others who change something in the firewall wait for the process:
    /// masud, which publishes the next container's ports.
    private func leaveFirewall() {
        if firewall == nil { return }
        // The kernel waits for one itself, and begins to do so when it comes to it: rarely after this has begun.
        for _ in 0..<2 { masu_wait_for_grace_period() }
        firewall = nil
    }

    // MARK: Containers

    /// Creates a container from the bundle at `path`; its first process waits for `start`. After an error nothing is
    /// left of it.
    ///
    /// What is asked of the other containers meanwhile waits.
    @discardableResult
    package func create(bundle path: FilePath) throws(ShimError) -> Int32 {
        var launch = try Launch(containers.isEmpty && path == home.path ? home : Bundle(path), in: self)
        let container = try launch.run()
        return try adopt(container)
    }

    /// Adds a container that has just been created.
    @discardableResult
    func adopt(_ container: SupervisedContainer) throws(ShimError) -> Int32 {
        guard let pid = container.phase.pid else { throw ShimError(.conflict, "the container has ended") }
        if first == nil {
            first = container.id
            try home.writeProcessIdentifier()
        }
        containers.append(container)
        return pid
    }

    /// Gives up: no container has come about.
    func abandon() {
        if case .serving(let acceptor) = stage { acceptor.close() }
        stage = .leaving(.untilDelivered)
        home.removeSocket()
    }

    /// The container with this id; `nil` is the first one.
    func container(_ id: String?) -> SupervisedContainer? {
        let id = id ?? first
        return containers.first { $0.id == id }
    }

    /// A container has ended, and nothing is left of it.
    func ended(_ container: SupervisedContainer, _ record: ExitRecord) {
        let isLast = containers.allSatisfy(\.phase.isOver)
        if isLast { stopServing() } else { exemption.claim() }
        container.close()
        tell(.exited(record), of: container)
        guard isLast else { return }
        loop.schedule(milliseconds: Self.farewell) { [unowned self] in
            if case .leaving(.untilKnown) = stage { stage = .leaving(.untilAnswered) }
            endIfPossible()
        }
        endIfPossible()
    }

    /// A client says that nobody needs to know more of a container that has ended.
    func dismiss(_ container: SupervisedContainer) {
        if case .leaving = stage {
            stage = .leaving(.untilDelivered)
            endIfPossibleSoon()
        } else {
            containers.removeAll { $0 === container }
            if container.hasAttachedClients { departing.append(container) }
        }
    }

    // MARK: Clients

    /// Takes over a connected socket that does not block.
    @discardableResult
    private func add(_ socket: FileDescriptor) -> ControlClient? {
        do throws(Errno) {
            let client = try ControlClient(
                socket, loop: loop, answer: { [unowned self] in answer($1, from: $0) },
                onGone: { [unowned self] in forget($0) })
            clients.append(client)
            return client
        } catch {
            // Out of memory: the client's loss, and it can try again.
            socket.discard()
            return nil
        }
    }

    /// Takes over the socket of somebody who wants the events of `container` from now on.
    func add(_ socket: FileDescriptor, subscribedTo container: SupervisedContainer) {
        do throws(Errno) {
            try socket.setNonBlocking(true)
            add(socket)?.subscribe(to: container.id)
        } catch {
            socket.discard()
        }
    }

    private func forget(_ client: ControlClient) {
        clients.removeAll { $0 === client }
        endIfPossibleSoon()
    }

    private func stopServing() {
        guard case .serving(let acceptor) = stage else { return }
        // Clients that have connected by now still get an answer; others find the file.
        acceptor.acceptAll()
        acceptor.close()
        stage = .leaving(.untilKnown)
        home.removeSocket()
    }

    /// Does what a client asks.
    private func answer(_ message: AddressedRequest, from client: ControlClient) -> ControlClient.Reply {
        scheduleTrim()
        do throws(ShimError) {
            switch message.request {
            case .containers:
                for container in containers where container.phase.isOver { client.knowsEnd(of: container.id) }
                return .response(.containers(containers.map { ShimContainer(id: $0.id, state: $0.phase.state) }))
            case .create(let bundle):
                guard case .serving = stage else { throw ShimError(.unavailable, "the shim is about to end") }
                return .response(.created(pid: try create(bundle: FilePath(bundle))))
            default:
                guard let container = container(message.container) else {
                    throw ShimError(.notFound, "no such container: \(message.container ?? first ?? "")")
                }
                let reply = try container.answer(message.request, from: client)
                if case .response(.state(.exited)) = reply {
                    client.knowsEnd(of: container.id)
                    endIfPossibleSoon()
                }
                return reply
            }
        } catch {
            return .response(.failure(error))
        }
    }

    /// Tells all who want to know; whether there is anybody.
    @discardableResult
    func tell(_ event: ShimEvent, of container: SupervisedContainer) -> Bool {
        var isTold = false
        for client in clients where client.isSubscribed(to: container.id) {
            send(event, of: container, to: client)
            if case .exited = event { client.knowsEnd(of: container.id) }
            isTold = true
        }
        return isTold
    }

    /// Tells one client.
    func send(_ event: ShimEvent, of container: SupervisedContainer, to client: ControlClient) {
        client.send(.event(event, container: container.id == first ? nil : container.id))
    }

    /// Whether anybody wants this container's events.
    func hasSubscriber(of container: SupervisedContainer) -> Bool {
        clients.contains { $0.isSubscribed(to: container.id) }
    }

    // MARK: Processes

    /// Takes note of all children that have ended: the containers' first processes, execs, and orphans, which the
    /// kernel gives to us as the nearest subreaper.
    private func reap() {
        while let (pid, status) = try? ProcessControl.wait(blocking: false) {
            if containers.contains(where: { $0.childEnded(pid, status.code) }) { continue }
            if containers.contains(where: \.runtime.isBusy) { orphans[pid] = status.code }
        }
        if !containers.contains(where: \.runtime.isBusy) { orphans = [:] }
    }

    /// The exit code of a process that ended before it was known what it is.
    func takeOrphan(_ pid: Int32) -> Int32? { orphans.removeValue(forKey: pid) }

    /// Requests are rare, and leave garbage behind.
    func scheduleTrim() {
        guard trim == nil else { return }
        trim = loop.schedule(milliseconds: 1000) { [unowned self] in
            trim = nil
            context.release()
            for container in containers { container.release() }
            departing.removeAll { !$0.hasAttachedClients }
            masu_malloc_trim()
        }
    }

    // MARK: The end

    /// Ends the shim as soon as everybody has been told.
    private func endIfPossible() {
        guard case .leaving(let farewell) = stage, !(containers + departing).contains(where: \.hasAttachedClients)
        else { return }
        let waitsForClient =
            switch farewell {
            case .untilKnown: clients.contains { !$0.isFlushed || !$0.knowsEnd }
            case .untilAnswered: clients.contains { !$0.isFlushed }
            case .untilDelivered: false
            }
        if !waitsForClient { loop.stop() }
    }

    /// The same after the present event, in the middle of which there may be a loop over clients.
    private func endIfPossibleSoon() {
        loop.schedule(milliseconds: 0) { [unowned self] in endIfPossible() }
    }
}
