import OCISpec
import Synchronization

/// Says of each layer of a pull what Docker's daemon says of it, in the same words and the same order.
final class PullProgress: Sendable {
    private struct Layer {
        let id: String
        let size: Int64
        var arrival: BlobArrival?
        var downloaded: Int64 = 0
        var isDownloaded = false
        var extracted: Int64 = 0
        var shownExtracted: Int64 = 0
        var isDone = false
    }

    private let report: @Sendable (ImageProgress) -> Void
    private let layers: Mutex<[Layer]>

    init(_ blobs: [Descriptor], _ report: @escaping @Sendable (ImageProgress) -> Void) {
        self.report = report
        layers = Mutex(blobs.map { Layer(id: $0.digest.short, size: $0.size) })
    }

    /// A layer that is there already.
    func exists(_ index: Int) { say(index, "Already exists") { $0.isDone = true } }

    /// A layer that will come; `isWaiting` where others come first.
    func begins(_ index: Int) { say(index, "Pulling fs layer") { _ in } }

    func waits(_ index: Int) { say(index, "Waiting") { _ in } }

    func arrives(_ index: Int, _ arrival: BlobArrival) { layers.withLock { $0[index].arrival = arrival } }

    /// How many bytes of a layer's blob have been unpacked.
    func extracted(_ index: Int, _ count: Int64) { layers.withLock { $0[index].extracted = count } }

    func done(_ index: Int) {
        update(index)
        say(index, "Pull complete") { $0.isDone = true }
    }

    private func say(_ index: Int, _ status: String, _ change: (inout Layer) -> Void) {
        layers.withLock { layers in
            change(&layers[index])
            report(ImageProgress(id: layers[index].id, status: status, current: nil, total: nil))
        }
    }

    /// Says what is new of all layers.
    func update() {
        for index in 0..<layers.withLock({ $0.count }) { update(index) }
    }

    private func update(_ index: Int) {
        layers.withLock { layers in
            var layer = layers[index]
            defer { layers[index] = layer }
            guard !layer.isDone, let arrival = layer.arrival else { return }
            func say(_ status: String, _ current: Int64? = nil) {
                report(
                    ImageProgress(
                        id: layer.id, status: status, current: current, total: current.map { _ in layer.size }))
            }
            if !layer.isDownloaded {
                let isComplete = arrival.isComplete
                let available = arrival.available
                if available > layer.downloaded {
                    layer.downloaded = available
                    say("Downloading", available)
                }
                guard isComplete else { return }
                layer.isDownloaded = true
                say("Verifying Checksum")
                say("Download complete")
            }
            if layer.extracted > layer.shownExtracted {
                layer.shownExtracted = layer.extracted
                say("Extracting", layer.extracted)
            }
        }
    }
}
