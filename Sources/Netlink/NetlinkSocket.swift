import CLinux
import Glibc
import LinuxKernel
import Synchronization
import SystemPackage

/// A connection to one of the kernel's families of netlink, in the network namespace in which it was opened;
/// netlink(7).
///
/// Several threads may share one: an exchange waits for that of another thread to end.
package final class NetlinkSocket: Sendable {
    /// Whom to talk to.
    package enum Family: Int32, Sendable {
        /// Interfaces, addresses, routes, rules, neighbours (`NETLINK_ROUTE`).
        case route = 0
        /// Sockets of the machine (`NETLINK_SOCK_DIAG`).
        case socketDiagnosis = 4
        /// nf_tables, connection tracking (`NETLINK_NETFILTER`).
        case netfilter = 12
    }

    /// Does not block; readable when there is something of a subscribed group.
    package let descriptor: FileDescriptor
    private let sequence = Mutex<UInt32>(0)

    /// A connection in the calling thread's network namespace.
    package init(_ family: Family) throws(NetlinkError) {
        let type = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        let result = Glibc.socket(AF_NETLINK, type, family.rawValue)
        if result < 0 { throw NetlinkError(Errno(rawValue: errno), "open a netlink socket") }
        descriptor = FileDescriptor(rawValue: result)
        // What an old kernel does not have is done without: words for errors, short errors, strict reading of dumps.
        try? set(NETLINK_EXT_ACK, 1)
        try? set(NETLINK_CAP_ACK, 1)
        if family != .netfilter { try? set(Self.strictChecking, 1) }
    }

    deinit {
        descriptor.discard()
    }

    /// A connection in the network namespace that `namespace` refers to, which the calling thread enters for a moment.
    package static func opened(
        _ family: Family, in namespace: FileDescriptor
    ) throws(NetlinkError) -> NetlinkSocket {
        let result: Result<NetlinkSocket, NetlinkError>
        do throws(Errno) {
            result = try NetworkNamespace.visit(namespace) {
                Result { () throws(NetlinkError) in try NetlinkSocket(family) }
            }
        } catch {
            throw NetlinkError(error, "enter a network namespace")
        }
        return try result.get()
    }

    // MARK: Exchange

    /// Carries out all requests of a batch.
    ///
    /// - Throws: What the first one that failed has to say. Those behind it have been carried out none the less.
    package func perform(_ batch: Batch) throws(NetlinkError) {
        try perform(batch, acknowledging: batch.requests.count - 1)
    }

    /// As `perform(_:)`, of a batch whose last answer is that to the request at `last`, or a failure of the first one
    /// where `isTransaction`: the kernel then has looked at no other.
    func perform(_ batch: Batch, acknowledging last: Int, isTransaction: Bool = false) throws(NetlinkError) {
        if batch.isEmpty { return }
        let outcome: Result<Void, NetlinkError> = sequence.withLock { next in
            Result { () throws(NetlinkError) in
                let first = next &+ 1
                next = next &+ UInt32(truncatingIfNeeded: batch.requests.count)
                try send(batch.packet(sequence: first, acknowledging: last), for: batch.requests[0].description)
                try collect(batch, first: first, last: last, isTransaction: isTransaction)
            }
        }
        try outcome.get()
    }

    /// Carries out one request.
    package func perform(_ request: Request) throws(NetlinkError) {
        try perform(Batch([request]))
    }

    /// Sends a request that asks for something, and collects what comes back up to the message that says that this is
    /// all. A list that changed while the kernel told it is asked for once more.
    package func answers(to request: Request) throws(NetlinkError) -> [Message] {
        let outcome: Result<[Message], NetlinkError> = sequence.withLock { next in
            Result { () throws(NetlinkError) in
                for _ in 0..<Self.attempts {
                    next &+= 1
                    var packet: [UInt8] = []
                    request.append(to: &packet, sequence: next)
                    try send(packet, for: request.description)
                    if let messages = try collect(request, sequence: next) { return messages }
                }
                throw NetlinkError(.interrupted, request.description, text: "the list changes all the time")
            }
        }
        return try outcome.get()
    }

    /// Reads all of the answers with `read`.
    package func answers<Value>(
        to request: Request, _ read: (Message) throws(Errno) -> Value?
    ) throws(NetlinkError) -> [Value] {
        var values: [Value] = []
        for message in try answers(to: request) {
            do throws(Errno) {
                if let value = try read(message) { values.append(value) }
            } catch {
                throw NetlinkError(error, request.description)
            }
        }
        return values
    }

    private func collect(
        _ batch: Batch, first: UInt32, last: Int, isTransaction: Bool
    ) throws(NetlinkError) {
        var failure: NetlinkError?
        var hasOverflowed = false
        while true {
            let messages: [Message]
            do throws(NetlinkError) {
                messages = try receive(for: batch.requests[last].description, waiting: !hasOverflowed)
            } catch {
                // More failures than there is room for: the first ones are there, the last answer is not.
                guard error.errno == .noBufferSpace, !hasOverflowed else { throw failure ?? error }
                hasOverflowed = true
                continue
            }
            for message in messages where Int32(message.type) == NLMSG_ERROR {
                let index = Int(message.sequence &- first)
                guard index < batch.requests.count else { continue }
                let request = batch.requests[index].description
                do throws(Errno) {
                    let report = try message.failure()
                    if failure == nil, let report {
                        failure = NetlinkError(
                            report.errno, request, index: index, text: report.text, offset: report.offset)
                    }
                    guard index == last || isTransaction && index == 0 && report != nil else { continue }
                } catch {
                    throw NetlinkError(error, request, index: index)
                }
                if let failure { throw failure }
                return
            }
        }
    }

    private func collect(_ request: Request, sequence: UInt32) throws(NetlinkError) -> [Message]? {
        var collected: [Message] = []
        var isConsistent = true
        while true {
            for message in try receive(for: request.description) where message.sequence == sequence {
                if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isConsistent = false }
                switch Int32(message.type) {
                case NLMSG_ERROR:
                    try check(message, request)
                    return collected
                case NLMSG_DONE:
                    // A dump that fails says so in its last message.
                    try check(message, request)
                    return isConsistent ? collected : nil
                default:
                    collected.append(message)
                    if message.flags & UInt16(NLM_F_MULTI) == 0 { return collected }
                }
            }
        }
    }

    private func check(_ message: Message, _ request: Request) throws(NetlinkError) {
        let report: Message.Failure?
        do throws(Errno) { report = try message.failure() } catch { throw NetlinkError(error, request.description) }
        guard let report else { return }
        throw NetlinkError(report.errno, request.description, index: 0, text: report.text, offset: report.offset)
    }

    // MARK: Bytes

    private func send(_ packet: [UInt8], for what: String) throws(NetlinkError) {
        do throws(Errno) {
            // What the kernel takes at once depends on the buffer, by default 200 KiB.
            if packet.count > 128 << 10 { try enlarge(SO_SNDBUFFORCE, SO_SNDBUF, packet.count + 4096) }
            try descriptor.sendMessage(packet)
        } catch {
            throw NetlinkError(error, what)
        }
    }

    /// What one recvmsg(2) brings. The kernel answers while it is asked: what is not there does not come, and the wait
    /// is for a kernel that does otherwise.
    private func receive(for what: String, waiting: Bool = true) throws(NetlinkError) -> [Message] {
        do throws(Errno) {
            while true {
                do throws(Errno) {
                    return try receive()
                } catch .resourceTemporarilyUnavailable {
                    if !waiting { throw .noBufferSpace }
                    let events = try Poll.wait(for: [(descriptor, .readable)], milliseconds: 5000)
                    if events[0].isEmpty { throw .timedOut }
                }
            }
        } catch {
            throw NetlinkError(error, what)
        }
    }

    /// What one recvmsg(2) brings, of the kernel; nothing if somebody else has sent it.
    func receive() throws(Errno) -> [Message] {
        var sender: UInt32 = 0
        var length = 0
        var failure: Errno?
        // The kernel packs up to 32 KiB of a list at once, and more where one entry needs it.
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = 0
            repeat {
                length = masu_netlink_receive(descriptor.rawValue, buffer.baseAddress, buffer.count, &sender)
            } while length == -Int(EINTR)
            if length < 0 { failure = Errno(rawValue: CInt(-length)) } else { count = min(length, buffer.count) }
        }
        if let failure { throw failure }
        if length > bytes.count { throw .badMessage }
        return sender == 0 ? try Message.all(in: bytes) : []
    }

    // MARK: Options

    /// Sets an option of the level `SOL_NETLINK`.
    func set(_ option: Int32, _ value: Int32) throws(Errno) {
        try set(Self.level, option, value)
    }

    /// Enlarges a buffer, beyond what the system allows to everybody where that is possible.
    func enlarge(_ forced: Int32, _ plain: Int32, _ size: Int) throws(Errno) {
        let size = Int32(truncatingIfNeeded: min(size, Int(Int32.max) / 2))
        do { try set(SOL_SOCKET, forced, size) } catch { try set(SOL_SOCKET, plain, size) }
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32) throws(Errno) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        if setsockopt(descriptor.rawValue, level, option, &value, size) < 0 { throw Errno(rawValue: errno) }
    }

    /// `SOL_NETLINK`.
    private static let level: Int32 = 270
    /// `NETLINK_GET_STRICT_CHK` (Linux 4.20): a dump is of what is asked for, and a wrong question is an error.
    private static let strictChecking: Int32 = 12
    /// How often a list is asked for that changes meanwhile.
    private static let attempts = 50
}
