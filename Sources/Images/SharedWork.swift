/// Work that several may want at the same time and that is done once: the first who joins begins it, the last who
/// leaves ends it.
///
/// Nobody begins work for a key anew before the last one for it has come to its end, with all that follows it.
package actor SharedWork<Key: Hashable & Sendable, Work: Sendable> {
    private struct Entry {
        let work: Work
        let task: Task<Void, Never>
        var users: Int
    }

    private var entries: [Key: Entry] = [:]
    /// What is ending: done when a key is free again.
    private var endings: [Key: Task<Void, Never>] = [:]

    /// Nothing is being done.
    package init() {}

    /// The work for a key: what is under way, or what `begin` begins. A caller that has joined leaves once.
    package func join(_ key: Key, begin: @Sendable () -> (Work, Task<Void, Never>)) async -> Work {
        while let ending = endings[key] {
            await ending.value
            // Whoever comes first takes the note away: waiting for what is over gives nobody else a turn.
            clear(ending, key)
        }
        if var entry = entries[key] {
            entry.users += 1
            entries[key] = entry
            return entry.work
        }
        let (work, task) = begin()
        entries[key] = Entry(work: work, task: task, users: 1)
        return work
    }

    /// Leaves the work for a key. The last one to leave cancels it, waits for its end, and then for `afterwards`.
    package func leave(_ key: Key, afterwards: @escaping @Sendable (Work) async -> Void) async {
        guard var entry = entries[key] else { return }
        entry.users -= 1
        entries[key] = entry
        guard entry.users == 0 else { return }
        entries[key] = nil
        let (work, task) = (entry.work, entry.task)
        task.cancel()
        let ending = Task {
            await task.value
            await afterwards(work)
        }
        endings[key] = ending
        await ending.value
        clear(ending, key)
    }

    private func clear(_ ending: Task<Void, Never>, _ key: Key) {
        if endings[key] == ending { endings[key] = nil }
    }

    /// Runs `body` with the keys of all that is under way or ending; nothing begins meanwhile.
    package func excluding<T: Sendable>(_ body: @Sendable (Set<Key>) throws -> T) rethrows -> T {
        try body(Set(entries.keys).union(endings.keys))
    }
}
