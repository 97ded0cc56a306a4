import Images
import Synchronization
import Text

/// All containers by id and by name; answers at once, from anywhere.
final class ContainerRegistry: Sendable {
    fileprivate struct State {
        var containers: [String: Container] = [:]
        /// Names to ids, those of containers being made included.
        var names: [String: String] = [:]
        /// Execs to the ids of their containers.
        var execs: [String: String] = [:]
        /// The container that nobody finds any more and whose files are still being removed.
        var leaving: String?
    }

    private let state = Mutex(State())

    var all: [Container] { state.withLock { Array($0.containers.values) } }

    /// Takes a name for `id`; throws Docker's conflict if another has it.
    func reserve(name: String, for id: String) throws(EngineError) {
        let owner = state.withLock { state in
            if let owner = state.names[name] { return owner as String? }
            state.names[name] = id
            return nil
        }
        if let owner {
            throw .conflict(
                "Conflict. The container name \"/\(name)\" is already in use by container \"\(owner)\". You have to "
                    + "remove (or rename) that container to be able to reuse that name."
            )
        }
    }

    /// Gives a container its name back when the daemon starts. The table's rows have different names; only one that is
    /// damaged may have a name that another has, and is then found by its id.
    func restore(name: String, of id: String) {
        state.withLock { if $0.names[name] == nil { $0.names[name] = id } }
    }

    /// Takes a random free name for `id`.
    func reserveRandomName(for id: String) -> String {
        for attempt in 0..<6 {
            let name = ContainerNames.random(attempt: attempt)
            // A taken name is no error here: another is tried.
            if (try? reserve(name: name, for: id)) != nil { return name }
        }
        let name = RandomIdentifier.short(id)
        state.withLock { $0.names[name] = id }
        return name
    }

    /// Gives a name back, if it is `id`'s.
    func release(name: String, of id: String) {
        state.withLock { state in
            if state.names[name] == id { state.names[name] = nil }
        }
    }

    func insert(_ container: Container) {
        state.withLock { $0.containers[container.id] = container }
    }

    /// Takes out a container of which nothing is left.
    func remove(_ id: String) { state.withLock { $0.remove(id) } }

    /// Takes out a container whose files are still to be removed, if no other's are: so that a loop of short runs does
    /// not fill the disk faster than it is freed. False if they are; then nothing has changed. `hasLeft` follows.
    func removeEarly(_ id: String) -> Bool {
        state.withLock { state in
            guard state.leaving == nil else { return false }
            state.leaving = id
            state.remove(id)
            return true
        }
    }

    /// The files of the container that was taken out early are gone.
    func hasLeft(_ id: String) { state.withLock { if $0.leaving == id { $0.leaving = nil } } }

    /// The container with this id, if it is still there.
    func container(_ id: String) -> Container? { state.withLock { $0.containers[id] } }

    /// The container with this id, name (with or without `/`) or unique beginning of an id.
    func find(_ text: String) throws(EngineError) -> Container {
        if text.isEmpty { throw .invalid("container name or ID cannot be empty") }
        let name = text.hasPrefix("/") ? String(text.dropFirst()) : text
        let matches: [Container] = state.withLock { state in
            if let exact = state.containers[text] { return [exact] }
            if let id = state.names[name], let named = state.containers[id] { return [named] }
            let isHexadecimal = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            guard isHexadecimal else { return [] }
            return state.containers.filter { $0.key.hasPrefix(text) }.map(\.value)
        }
        guard let match = matches.first else { throw .noSuchContainer(text) }
        if matches.count > 1 { throw .invalid("multiple IDs found with provided prefix: \(text)") }
        return match
    }

    /// The container that a link leads to: of one that has another's network, that other.
    ///
    /// - Throws: `EngineError` (invalid) if there is none. "Not found" would mean the image to clients that make a
    ///   container.
    func find(_ link: ContainerLink) throws(EngineError) -> Container {
        do throws(EngineError) {
            var container = try find(link.target)
            while case .container(let other) = container.current.configuration.host.networkMode {
                container = try find(other)
            }
            return container
        } catch {
            throw .invalid("could not get container for \(link.target): \(error.message)")
        }
    }

    /// What has become of a container by now; one whose name is taken already is being made, or its files are being
    /// removed.
    func presence(of id: String) -> ContainerPresence {
        let (container, isReserved) = state.withLock { state in
            (state.containers[id], state.names.values.contains(id) || state.leaving == id)
        }
        guard let container else { return isReserved ? .changing : .none }
        switch container.current.state {
        case .removing, .dead: return .changing
        default: return .whole
        }
    }

    // MARK: Execs

    func insert(exec: String, of container: String) { state.withLock { $0.execs[exec] = container } }
    func remove(exec: String) { state.withLock { $0.execs[exec] = nil } }

    /// The container of an exec, by the exec's full id.
    func container(ofExec id: String) throws(EngineError) -> Container {
        let container = state.withLock { state in state.execs[id].flatMap { state.containers[$0] } }
        guard let container else { throw .noSuchExec(id) }
        return container
    }
}

extension ContainerRegistry.State {
    fileprivate mutating func remove(_ id: String) {
        containers[id] = nil
        for (name, owner) in names where owner == id { names[name] = nil }
        for (exec, owner) in execs where owner == id { execs[exec] = nil }
    }
}
