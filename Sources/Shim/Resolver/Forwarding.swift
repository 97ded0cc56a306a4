import DNS
import LinuxKernel
import SystemPackage

/// A query that servers are asked, one after the other, until one has an answer.
final class Forwarding {
    let query: ForwardedQuery
    private var servers: ArraySlice<ResolverConfiguration.Server>
    private let transport: ResolverTransport
    private let way: ServerWay
    private var attempt: ServerAttempt?
    private var timer: EventLoop.Timer?
    private var completion: (([UInt8]) -> Void)?

    init(
        _ query: ForwardedQuery, _ servers: [ResolverConfiguration.Server], _ transport: ResolverTransport,
        way: ServerWay
    ) {
        self.query = query
        self.servers = servers[...]
        self.transport = transport
        self.way = way
    }

    /// Calls `completion` once with an answer, which says that there was a failure if no server has one. It can do so
    /// before this returns.
    func begin(_ completion: @escaping ([UInt8]) -> Void) {
        self.completion = completion
        tryNext()
    }

    /// Ends without an answer.
    func cancel() {
        completion = nil
        endAttempt()
    }

    private func endAttempt() {
        attempt?.close()
        attempt = nil
        if let timer { way.context.loop.cancel(timer) }
        timer = nil
    }

    private func tryNext() {
        endAttempt()
        while let server = servers.popFirst() {
            do throws(Errno) {
                attempt =
                    switch transport {
                    case .udp: try DatagramAttempt(query, server, way) { [unowned self] in settle($0) }
                    case .tcp: try StreamAttempt(query, server, way) { [unowned self] in settle($0) }
                    }
                timer = way.context.loop.schedule(milliseconds: way.patience) { [unowned self] in tryNext() }
                return
            } catch {
                // It cannot be reached, or there are no descriptors.
                continue
            }
        }
        complete(query.failure(.serverFailure))
    }

    private func settle(_ verdict: ForwardedQuery.Verdict) {
        switch verdict {
        case .answer(let bytes): complete(bytes)
        case .tryNext: tryNext()
        case .unrelated: break
        }
    }

    private func complete(_ bytes: [UInt8]) {
        let completion = completion
        cancel()
        completion?(bytes)
    }
}
