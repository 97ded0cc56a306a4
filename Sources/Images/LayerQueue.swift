import ContentStore
import Glibc
import OCISpec
import Synchronization

/// The layers of a load that are to be unpacked, for several threads to take from.
final class LayerQueue: Sendable {
    struct Job: Sendable {
        let chain: Digest
        let parent: Digest?
        let layer: ArchivedImage.Layer
    }

    private struct State {
        var jobs: [Job] = []
        var results: [Digest: UnpackedLayer] = [:]
        var failure: (any Error)?
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.jobs.count } }

    /// Adds a layer, unless the same layer on the same others is there already.
    func add(_ job: Job) {
        state.withLock { state in
            if !state.jobs.contains(where: { $0.chain == job.chain }) { state.jobs.append(job) }
        }
    }

    /// From now on the largest comes first, so that no processor is left alone with it at the end.
    func sortBySize() {
        state.withLock { $0.jobs.sort { $0.layer.blob.size > $1.layer.blob.size } }
    }

    /// The next layer, in the order they were added unless they were sorted; none after a failure.
    func next() -> Job? {
        state.withLock { state in
            guard state.failure == nil, !state.jobs.isEmpty else { return nil }
            return state.jobs.removeFirst()
        }
    }

    func finish(_ job: Job, _ result: Result<UnpackedLayer, any Error>) {
        state.withLock { state in
            switch result {
            case .success(let layer): state.results[job.chain] = layer
            case .failure(let error): state.failure = state.failure ?? error
            }
        }
    }

    /// All layers, or the first error, after `discard` was called on what had succeeded.
    func results(discard: (UnpackedLayer) -> Void) throws -> [Digest: UnpackedLayer] {
        let (results, failure) = state.withLock { ($0.results, $0.failure) }
        if let failure {
            for layer in results.values { discard(layer) }
            throw failure
        }
        return results
    }
}

/// The machine's processors.
enum Processors {
    /// How many this process may run on.
    static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
