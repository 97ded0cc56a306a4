import Images
import OCISpec
import Snapshots

extension Engine {
    /// Newest first.
    package func list(_ options: ListOptions) async throws -> [ContainerSummary] {
        try await reporting {
            var filter = options.filter
            // A network may be asked for by the beginning of its id.
            let networks = services.networks.all
            filter.networks += filter.networks.flatMap { asked in
                networks.filter { $0.id.hasPrefix(asked) }.map(\.name)
            }
            let includesStopped = options.all || filter.impliesAll || (options.limit ?? 0) > 0
            let (before, since) = (try creation(of: filter.before), try creation(of: filter.since))
            let wanted = filter
            let isWanted: @Sendable (ContainerRecord) -> Bool = { record in
                (includesStopped || record.state.isRunning) && wanted.matches(record)
            }
            var found: [(container: Container, created: Timestamp)] = services.registry.all.compactMap { container in
                let created = container.read { isWanted($0) ? $0.createdAt : nil }
                guard let created, before.map({ created < $0 }) ?? true, since.map({ created > $0 }) ?? true else {
                    return nil
                }
                return (container, created)
            }
            found.sort { ($0.created, $0.container.id) > ($1.created, $1.container.id) }
            var containers = found.map(\.container)
            if !filter.ancestors.isEmpty { containers = try await descendants(of: filter.ancestors, among: containers) }
            let limit = options.limit.flatMap { $0 > 0 ? $0 : nil } ?? containers.count
            return try await summaries(of: containers, limit: limit, size: options.size, isWanted)
        }
    }

    private func creation(of name: String?) throws -> Timestamp? {
        try name.map { try services.registry.find($0).read(\.createdAt) }
    }

    /// The first `limit` of `containers` that are still there and still wanted: they go on while others are looked at.
    private func summaries(
        of containers: [Container], limit: Int, size: Bool, _ isWanted: (ContainerRecord) -> Bool
    ) async throws -> [ContainerSummary] {
        let now = Timestamp.now()
        let networks = services.networks.all
        var meanings: [String: String?] = [:]
        var manifests: [String: Descriptor?] = [:]
        var summaries: [ContainerSummary] = []
        summaries.reserveCapacity(min(containers.count, limit))
        for container in containers where summaries.count < limit {
            let record = container.current
            guard isWanted(record), services.registry.container(record.id) != nil else { continue }
            let configuration = record.configuration
            let name = configuration.image
            if meanings[name] == nil {
                // A name that means nothing any more is no error here: the id is shown in its place.
                meanings[name] = .some(try? await images.resolve(name).id.description)
            }
            let stillMeant = (meanings[name] ?? nil) == record.imageID
            var summary = ContainerSummary(
                id: record.id, name: record.name, image: stillMeant ? name : record.imageID, imageID: record.imageID,
                command: Self.line(record), created: record.createdAt, state: record.state, health: record.health,
                status: record.state.phrase(at: now, health: record.health), labels: configuration.labels,
                networkMode: configuration.host.networkMode.description,
                networks: container.endpointDetails(record, among: networks),
                ports: container.networkPresence?.ports ?? [],
                annotations: configuration.host.annotations,
                mounts: configuration.mountPoints, exposedPorts: configuration.exposedPorts)
            if manifests[record.imageID] == nil {
                manifests[record.imageID] = .some(await imageManifest(of: record))
            }
            summary.imageManifest = manifests[record.imageID] ?? nil
            if size {
                do {
                    (summary.sizeRw, summary.sizeRootFs) = try await sizes(of: record)
                } catch  where services.registry.container(record.id) == nil {
                    continue  // It has been removed meanwhile.
                }
            }
            summaries.append(summary)
        }
        return summaries
    }

    /// The command as one line, words with spaces in single quotes, as Docker shows it.
    private static func line(_ record: ContainerRecord) -> String {
        if record.arguments.isEmpty { return record.path }
        let arguments = record.arguments.map { $0.contains(" ") ? "'\($0)'" : $0 }
        return record.path + " " + arguments.joined(separator: " ")
    }

    /// Those of `containers` whose image is one of `names` or was built on one.
    private func descendants(of names: [String], among containers: [Container]) async throws -> [Container] {
        var ancestors: [ImageRecord] = []
        for name in names {
            // An image that does not exist has no descendants.
            if let image = try? await images.resolve(name) { ancestors.append(image) }
        }
        var matches: [String: Bool] = [:]
        var result: [Container] = []
        for container in containers {
            let record = container.current
            if matches[record.imageID] == nil {
                let image = try await image(of: record)
                matches[record.imageID] = ancestors.contains { ancestor in
                    if ancestor.id.description == record.imageID { return true }
                    let layers = ancestor.configuration.rootfs.diffIDs
                    return !layers.isEmpty && image?.configuration.rootfs.diffIDs.starts(with: layers) ?? false
                }
            }
            if matches[record.imageID] ?? false { result.append(container) }
        }
        return result
    }

    private func image(of record: ContainerRecord) async throws -> ImageRecord? {
        guard let id = Digest(record.imageID) else { return nil }
        return try await images.record(id)
    }

    /// The manifest of a container's image; nil if the image is gone, or its manifest cannot be read, which is told
    /// where the image itself is asked for.
    private func imageManifest(of record: ContainerRecord) async -> Descriptor? {
        guard let id = Digest(record.imageID) else { return nil }
        return (try? await images.manifestDescriptor(ofImage: id)) ?? nil  // See above.
    }

    func sizes(of record: ContainerRecord) async throws -> (Int64, Int64) {
        let own = try await images.snapshotUsage(key: record.id).bytes
        let image = try await image(of: record)
        return (own, own + (image?.size ?? 0))
    }

    // MARK: Inspect

    /// All that is known of a container, by name, id or the beginning of one.
    package func inspect(_ name: String, size: Bool = false) async throws -> ContainerDetails {
        let container = try services.registry.find(name)
        return try await reporting {
            let record = container.current
            let configuration = record.configuration
            let execIDs = await container.execs.values.filter { if case .exited = $0.state { false } else { true } }
                .map(\.id)
            let driverData = try await images.snapshotDetails(key: record.id)
            func file(_ name: String) -> String { record.hasRun ? container.files.appending(name).string : "" }
            var details = ContainerDetails(
                id: record.id, name: record.name, created: record.createdAt, path: record.path,
                arguments: record.arguments, state: record.state, health: record.health, imageID: record.imageID,
                platform: "linux",
                resolvConfPath: file("resolv.conf"), hostnamePath: file("hostname"), hostsPath: file("hosts"),
                logPath: configuration.host.log.isReadable ? container.logPath.string : "",
                restartCount: record.restartCount,
                driver: images.snapshotter.driver, graphDriverData: driverData, appArmorProfile: "",
                execIDs: execIDs.sorted(), configuration: configuration,
                mounts: configuration.mountPoints, sandboxKey: "",
                networks: container.endpointDetails(), ports: container.networkPresence?.ports ?? [],
                links: container.legacyLinks())
            if let running = record.state.running { details.sandboxKey = "/proc/\(running.pid)/ns/net" }
            details.imageManifest = await imageManifest(of: record)
            if size { (details.sizeRw, details.sizeRootFs) = try await sizes(of: record) }
            return details
        }
    }
}
