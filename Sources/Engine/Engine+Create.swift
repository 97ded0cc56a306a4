import GRDB
import Images
import LinuxKernel
import OCISpec
import SystemPackage
import Text

extension Engine {
    /// Makes a container. `name` nil or empty: a random one. `platform` as `os/arch[/variant]`, checked against the
    /// image.
    package func create(
        _ configuration: ContainerConfiguration, name: String?, platform: Platform? = nil
    ) async throws -> CreatedContainer {
        try await finishing {
            try await self.createContainer(configuration, name: name, platform: platform)
        }
    }

    private func createContainer(
        _ configuration: ContainerConfiguration, name: String?, platform: Platform?
    ) async throws -> CreatedContainer {
        let name = try name.flatMap { $0.isEmpty ? nil : $0 }
            .map { text throws(EngineError) in try ContainerNames.validated(text) }
        if configuration.image.isEmpty { throw EngineError.invalid("No image specified") }
        let image = try await images.resolve(configuration.image)
        try check(image, for: platform, named: configuration.image)
        var warnings = try configuration.validate(in: validationContext(runtime: configuration.host.runtime))
        if platform == nil, let warning = HostPlatform.warning(about: image.configuration.platform) {
            warnings.append(warning)
        }
        try self.configuration.validate(cgroupParent: configuration.host.cgroupParent)
        let limit = try await snapshotLimit(configuration.host)
        var merged = configuration.merged(with: image.configuration.config)
        let command = (merged.entrypoint ?? []) + (merged.command ?? [])
        guard let path = command.first else { throw EngineError.invalid("no command specified") }
        if !merged.workingDirectory.isEmpty { merged.workingDirectory = lexicallyClean(merged.workingDirectory) }
        try resolveContainers(&merged.host)
        let inherited = try inheritedMounts(merged.host)

        let id = RandomIdentifier.make()
        applyDefaults(to: &merged, id: id)
        let plan = MountPlan(merged, inheriting: inherited, dataRoot: self.configuration.dataRoot.string)
        let record = ContainerRecord(
            id: id, name: name ?? "", createdAt: .now(), imageID: image.id.description, configuration: merged,
            path: path, arguments: Array(command.dropFirst()))
        let container = try await make(record, image: image, limit: limit, mounts: plan)
        container.emit("create")
        let ignored = image.configuration.config?.ignoredParts ?? []
        return CreatedContainer(id: id, warnings: warnings + ignored)
    }

    /// Touches the world; undoes all of it after an error.
    private func make(
        _ proposal: ContainerRecord, image: ImageRecord, limit: Int64?, mounts plan: MountPlan
    ) async throws -> Container {
        var record = proposal
        let id = record.id
        if record.name.isEmpty {
            record.name = services.registry.reserveRandomName(for: id)
        } else {
            try services.registry.reserve(name: record.name, for: id)
        }
        do {
            try await images.prepareContainerSnapshot(key: id, image: image, limit: limit)
        } catch {
            services.registry.release(name: record.name, of: id)
            throw error
        }
        var mounts = MountSettling(services, id: id)
        do {
            let files = services.files.appending(id)
            let user = record.configuration.user
            let groups = record.configuration.host.groupAdd
            if !user.isEmpty || !groups.isEmpty {
                // Told now what would make every start fail.
                let view = try await images.view(key: id)
                try await services.pool.run {
                    _ = try ContainerUser(user, groupAdd: groups, files: LayeredFiles(view))
                }
            }
            record.configuration.mountPoints = try await mounts.settle(plan)
            try await services.pool.run { try Files.makeDirectories(files, mode: 0o710) }
            let row = record
            try await services.database.write { try row.insert(in: $0) }
            let container = Container(record: record, services: services)
            services.registry.insert(container)
            return container
        } catch {
            let name = record.name
            await mounts.takeBack()
            await undo(id: id, name: name)
            throw error
        }
    }

    private func undo(id: String, name: String) async {
        do {
            try await images.removeSnapshot(key: id)
            let files = services.files.appending(id)
            try await services.pool.run { try TreeRemoval.remove(files) }
        } catch {
            services.logger.error("cannot undo the creation of container \(id): \(error)")
        }
        services.registry.release(name: name, of: id)
    }

    /// How many bytes the container's files may take (`--storage-opt size`); `nil` for no limit.
    private func snapshotLimit(_ host: HostConfiguration) async throws -> Int64? {
        guard let limit = host.sizeLimit?.bytes else { return nil }
        if let refusal = try await images.refusal(ofLimit: limit) { throw EngineError.invalid(refusal) }
        return limit
    }

    private func check(_ image: ImageRecord, for platform: Platform?, named name: String) throws(EngineError) {
        let own = image.configuration.platform
        guard let platform, !own.satisfies(platform) else { return }
        throw EngineError(
            .notFound,
            "image with reference \(name) was found but its platform (\(own)) does not match the specified platform "
                + "(\(platform))"
        )
    }

    /// What the containers of `--volumes-from` have mounted.
    private func inheritedMounts(_ host: HostConfiguration) throws(EngineError) -> [MountPlan.Inheritance] {
        var inherited: [MountPlan.Inheritance] = []
        for other in host.volumesFrom {
            do throws(EngineError) {
                let points = try services.registry.find(other.container).current.configuration.mountPoints
                inherited.append(MountPlan.Inheritance(points, isReadOnly: other.isReadOnly))
            } catch {
                // See `resolveContainers`.
                throw .invalid(error.message)
            }
        }
        return inherited
    }

    /// Names of containers whose name spaces are joined become ids, so that renaming does not change what is meant.
    private func resolveContainers(_ host: inout HostConfiguration) throws(EngineError) {
        func id(of name: String) throws(EngineError) -> String {
            do throws(EngineError) {
                return try services.registry.find(name).id
            } catch {
                // When a container is made, "not found" means the image to every client, which then pulls it.
                throw .invalid(error.message)
            }
        }
        if case .container(let name) = host.networkMode { host.networkMode = .container(try id(of: name)) }
        if case .container(let name) = host.pidMode { host.pidMode = .container(try id(of: name)) }
        if case .container(let name) = host.ipcMode { host.ipcMode = .container(try id(of: name)) }
        // Links on other networks are these networks' own.
        if NetworkMode.isUserDefined(host.networkMode.description) { return }
        var links: [String] = []
        for text in host.links {
            let link = try ContainerLink(parsing: text)
            let other = try services.registry.find(link)
            if other.current.configuration.host.networkMode == .host { throw HostConfiguration.linkRefusal("host") }
            links.append(ContainerLink(to: other.id, as: link.alias).text)
        }
        host.links = links
    }

    /// What the daemon decides where the user did not, so that a start does the same whatever the daemon's flags are
    /// then.
    private func applyDefaults(to merged: inout ContainerConfiguration, id: String) {
        if merged.hostname.isEmpty {
            switch merged.host.networkMode {
            case .host: merged.hostname = Machine.hostname
            case .container: break
            default: merged.hostname = merged.host.utsMode == .host ? Machine.hostname : RandomIdentifier.short(id)
            }
        }
        var host = merged.host
        if host.ipcMode == .default { host.ipcMode = configuration.defaultIPCMode }
        host.cgroupNamespaceMode = host.cgroupNamespaceMode.resolved(
            isPrivileged: host.privileged, isVersion2: Machine.usesCgroupV2,
            standard: configuration.defaultCgroupNamespaceMode)
        if (host.shmSize ?? 0) == 0 { host.shmSize = configuration.defaultShmSize }
        if host.runtime.isEmpty { host.runtime = configuration.defaultRuntime }
        if host.resources.memory > 0, host.resources.memorySwap == 0 {
            let (twice, isTooMuch) = host.resources.memory.multipliedReportingOverflow(by: 2)
            host.resources.memorySwap = isTooMuch ? -1 : twice
        }
        host.log = host.log.filled(from: configuration.log)
        if host.networkMode == .default { host.networkMode = .network("bridge") }
        settleEndpoints(&merged.endpoints, mode: host.networkMode)
        if !host.privileged {
            host.maskedPaths = host.maskedPaths ?? DefaultPaths.masked
            host.readonlyPaths = host.readonlyPaths ?? DefaultPaths.readonly
        }
        merged.host = host
    }

    /// Names for all networks, in the place of ids, and a place on the network of the mode where nothing else is asked
    /// for.
    private func settleEndpoints(_ endpoints: inout [String: NetworkEndpoint], mode: NetworkMode) {
        for (key, endpoint) in endpoints {
            // It need not be there yet.
            guard let network = try? services.networks.network(key), network.name != key else { continue }
            endpoints[key] = nil
            endpoints[network.name] = endpoint
        }
        guard endpoints.isEmpty, case .network(let name) = mode else { return }
        // It need not be there yet.
        let network = try? services.networks.network(name)
        endpoints[network?.name ?? name] = NetworkEndpoint()
    }

    func validationContext(runtime: String) -> ValidationContext {
        let known: Set<String> = configuration.runtime(runtime) == nil ? [] : [runtime]
        var context = ValidationContext(
            processors: Machine.processors, availableCPUs: Machine.availableCPUs, availableMems: Machine.availableMems,
            runtimes: known)
        context.memoryIsLimitable = Machine.memoryIsLimitable
        context.swapIsLimitable = Machine.swapIsLimitable
        context.dataRoot = configuration.dataRoot.string
        context.networks = services.networks.all
        return context
    }
}
