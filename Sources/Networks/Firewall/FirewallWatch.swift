import LinuxKernel
import Netlink
import SystemPackage

/// Looks at each change of the packet filter, on a thread of its own: has Masu's table put back when something of it is
/// gone, and the host's chains asked anew when these have changed. It does both at its start as well: nobody knows what
/// happened before.
package final class FirewallWatch: Sendable {
    /// What there is to do.
    package struct Duties: Sendable {
        /// Sees to it that nothing lacks in Masu's table, which the process of this name has changed.
        package var mend: @Sendable (_ author: String?) -> Restoration
        /// Asks the host's chains anew; `nil` where nothing follows from what they say. Returns whether that could be
        /// done.
        package var review: (@Sendable () -> Bool)?

        /// What is done when something has changed.
        package init(
            mend: @escaping @Sendable (_ author: String?) -> Restoration, review: (@Sendable () -> Bool)? = nil
        ) {
            self.mend = mend
            self.review = review
        }
    }

    /// What has become of a look at Masu's table.
    package enum Restoration: Sendable {
        /// Nothing lacked.
        case unneeded
        /// Something lacked, and is back.
        case done
        /// It is not known whether anything lacks, or something could not be put back.
        case failed
    }

    /// What ends the thread when it is closed.
    private let end: FileDescriptor

    /// The host's chains are asked when nothing has happened for so long, in milliseconds: a firewall that is loaded
    /// anew is empty for a moment.
    private static let calm: Int64 = 200
    /// But not later than so long after their first change.
    private static let patience: Int64 = 1000
    /// Asking them takes no more than one part in so many of a processor's time.
    private static let share: Int64 = 20
    /// Somebody who removes the table over and over is answered, but not with all of a processor's time: between two
    /// restorations are so many milliseconds for each one within the time before.
    private static let pause: Int64 = 20
    private static let memory: Int64 = 10_000
    private static let longestPause: Int64 = 500

    /// Watches the network namespace of the calling thread, until the watch is gone.
    ///
    /// - Throws: An error of the kernel's that says why it cannot be watched.
    package init(_ duties: Duties) throws {
        let subscription = try Subscription([.firewall])
        let (reading, writing) = try FileDescriptor.makePipe()
        let hasStarted = Threads.start(name: "masu-firewall") {
            defer { reading.discard() }
            var loop = Loop(subscription: subscription, end: reading, duties: duties)
            while loop.turn() {}
        }
        guard hasStarted else {
            reading.discard()
            writing.discard()
            throw Errno.resourceTemporarilyUnavailable
        }
        end = writing
    }

    deinit { end.discard() }

    private struct Loop {
        let subscription: Subscription
        let end: FileDescriptor
        let duties: Duties
        private var news = FirewallNews()
        /// When the table was put back.
        private var restorations: [Int64] = []
        /// When the host's chains were changed first and last since they were asked.
        private var changes: (first: Int64, last: Int64)?
        /// Before this they are not asked again.
        private var nextReview: Int64 = 0

        init(subscription: Subscription, end: FileDescriptor, duties: Duties) {
            self.subscription = subscription
            self.end = end
            self.duties = duties
            news.addUnknown()
        }

        /// Waits and does what there is to do; false when the watch is to end.
        mutating func turn() -> Bool {
            guard wait() else { return false }
            let now = MonotonicClock.milliseconds
            if news.concernsHost {
                changes = (changes?.first ?? now, now)
                news.settleHost()
            }
            if news.concernsOwnTable, now >= nextRestoration {
                let author = news.author
                news.settleOwnTable()
                let restoration = duties.mend(author)
                if restoration == .failed { news.reopenOwnTable(changedBy: author) }
                if restoration != .unneeded {
                    restorations.removeAll { now - $0 > FirewallWatch.memory }
                    restorations.append(now)
                }
            }
            guard let review = duties.review, let time = reviewTime, MonotonicClock.milliseconds >= time else {
                return true
            }
            changes = nil
            let start = MonotonicClock.milliseconds
            let isDone = review()
            let end = MonotonicClock.milliseconds
            if !isDone { changes = (end, end) }
            nextReview = end + (end - start) * FirewallWatch.share
            return true
        }

        private var nextRestoration: Int64 {
            guard let last = restorations.last else { return 0 }
            let count = Int64(restorations.count { last - $0 <= FirewallWatch.memory })
            return last + min(FirewallWatch.longestPause, (count - 1) * FirewallWatch.pause)
        }

        private var reviewTime: Int64? {
            guard duties.review != nil, let changes else { return nil }
            return max(
                nextReview,
                min(changes.first + FirewallWatch.patience, changes.last + FirewallWatch.calm))
        }

        /// Waits for news, or for the time to do what is to be done; false when the watch is to end.
        private mutating func wait() -> Bool {
            let times = [news.concernsOwnTable ? nextRestoration : nil, reviewTime].compactMap { $0 }
            let now = MonotonicClock.milliseconds
            let time = times.min().map { Int32(clamping: max(0, $0 - now)) } ?? -1
            let events: [ReadyEvents]
            do {
                events = try Poll.wait(
                    for: [(subscription.descriptor, .readable), (end, .readable)], milliseconds: time)
            } catch {
                // A wait that cannot be had would be tried for ever.
                return false
            }
            guard events[1].isEmpty else { return false }
            if !events[0].isEmpty { take() }
            return true
        }

        private mutating func take() {
            // What cannot be taken may be about anything, as what was missed.
            switch try? subscription.take() {
            case nil, .missed?: news.addUnknown()
            case .messages(let messages)?:
                for message in messages {
                    do throws(Errno) {
                        if let change = try FirewallNotification(message) { news.add(change) }
                    } catch {
                        // One that cannot be read may be about anything.
                        news.addUnknown()
                    }
                }
            }
        }
    }
}
