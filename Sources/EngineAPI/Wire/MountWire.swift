import Engine
import EngineAPIModel

extension MountSpecification {
    /// A `--mount` of a create request.
    ///
    /// - Throws: `APIError` (invalid) for an unknown type, or options of another type than the mount's.
    init(_ wire: Mount, version: APIVersion) throws {
        guard let kind = Kind(rawValue: wire.type) else {
            throw APIError.invalid("invalid mount config for type \"\(wire.type)\": mount type unknown")
        }
        func fail(_ reason: String) -> APIError {
            .invalid("invalid mount config for type \"\(wire.type)\": \(reason)")
        }
        if wire.target.isEmpty { throw fail("field Target must not be empty") }
        let target: MountTarget
        do throws(MountTarget.Refusal) {
            target = try MountTarget(wire.target)
        } catch {
            throw fail(error.words(for: wire.target))
        }
        self.init(kind: kind, source: wire.source, target: target, readOnly: wire.readOnly)
        // Before 1.44 read-only meant the top mount.
        if version < .v(44) { isReadOnlyNonRecursive = true }
        consistency = wire.consistency
        try Self.checkVersion(of: wire, version)
        if version >= .v(42) {
            if wire.volumeOptions != nil, kind != .volume { throw Self.misplaced("VolumeOptions", wire.type) }
            if wire.bindOptions != nil, kind != .bind { throw Self.misplaced("BindOptions", wire.type) }
            if wire.tmpfsOptions != nil, kind != .tmpfs { throw Self.misplaced("TmpfsOptions", wire.type) }
            if wire.imageOptions != nil, kind != .image { throw Self.misplaced("ImageOptions", wire.type) }
        }
        if let options = wire.bindOptions, kind == .bind {
            var bind = BindOptions()
            if !options.propagation.isEmpty {
                guard let propagation = MountPropagationMode(rawValue: options.propagation) else {
                    throw fail("invalid propagation mode: \(options.propagation)")
                }
                bind.propagation = propagation
            }
            bind.nonRecursive = version < .v(40) ? false : options.nonRecursive
            bind.createMountpoint = version < .v(42) ? false : options.createMountpoint
            bind.readOnlyNonRecursive = version < .v(44) ? false : options.readOnlyNonRecursive
            bind.readOnlyForceRecursive = options.readOnlyForceRecursive
            if options.readOnlyForceRecursive, version < .v(44) {
                throw APIError.invalid("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
            }
            self.bind = bind
        }
        if let options = wire.tmpfsOptions, kind == .tmpfs {
            var tmpfs = TmpfsOptions()
            tmpfs.sizeBytes = options.sizeBytes == 0 ? nil : options.sizeBytes
            tmpfs.mode = options.mode == 0 ? nil : UInt32(clamping: options.mode)
            if version >= .v(46) {
                tmpfs.options = try options.options.map { words in
                    guard (1...2).contains(words.count) else { throw fail("invalid option array length") }
                    guard ["exec", "noexec"].contains(words[0]),
                        let option = TmpfsOption(name: words[0], value: words.count > 1 ? words[1] : nil)
                    else { throw fail("invalid option: \(words[0])") }
                    return option
                }
            }
            self.tmpfs = tmpfs
        }
        if let options = wire.volumeOptions, kind == .volume {
            var volume = VolumeOptions()
            volume.noCopy = options.noCopy
            volume.labels = options.labels
            volume.driver = options.driverConfig?.name ?? ""
            volume.driverOptions = options.driverConfig?.options ?? [:]
            if !options.subpath.isEmpty {
                if wire.source.isEmpty { throw fail("must not set Subpath when using anonymous volumes") }
                volume.subpath = try Self.subpath(options.subpath, fail)
            }
            self.volume = volume
        }
        if let options = wire.imageOptions, kind == .image {
            var image = ImageOptions()
            if !options.subpath.isEmpty { image.subpath = try Self.subpath(options.subpath, fail) }
            self.image = image
        }
    }

    private static func subpath(_ text: String, _ fail: (String) -> APIError) throws -> Subpath {
        guard let subpath = Subpath(text) else {
            throw fail("subpath must be a relative path within the volume")
        }
        return subpath
    }

    private static func checkVersion(of wire: Mount, _ version: APIVersion) throws {
        if version < .v(45), wire.volumeOptions?.subpath.isEmpty == false {
            throw APIError.invalid("VolumeOptions.Subpath needs API v1.45 or newer")
        }
        if version < .v(48), wire.type == "image" {
            throw APIError.invalid("Mount type \"Image\" needs API v1.48 or newer")
        }
    }

    fileprivate static func misplaced(_ options: String, _ type: String) -> APIError {
        .invalid("\(options) must not be specified on mount type \"\(type)\"")
    }
}

extension Mount {
    /// A mount as `HostConfig.Mounts` of an inspected container shows it.
    init(_ specification: MountSpecification) {
        self.init()
        type = specification.kind.rawValue
        source = specification.source
        target = specification.target.description
        readOnly = specification.readOnly
        consistency = specification.consistency
        bindOptions = specification.bind.map { bind in
            var wire = EngineAPIModel.BindOptions()
            wire.propagation = bind.propagation?.rawValue ?? ""
            wire.nonRecursive = bind.nonRecursive
            wire.createMountpoint = bind.createMountpoint
            wire.readOnlyNonRecursive = bind.readOnlyNonRecursive
            wire.readOnlyForceRecursive = bind.readOnlyForceRecursive
            return wire
        }
        volumeOptions = specification.volume.map { volume in
            var wire = EngineAPIModel.VolumeOptions()
            wire.noCopy = volume.noCopy
            wire.labels = volume.labels
            wire.subpath = volume.subpath?.description ?? ""
            if !volume.driver.isEmpty || !volume.driverOptions.isEmpty {
                var driver = VolumeDriverConfig()
                driver.name = volume.driver
                driver.options = volume.driverOptions
                wire.driverConfig = driver
            }
            return wire
        }
        imageOptions = specification.image.map { image in
            var wire = ImageMountOptions()
            wire.subpath = image.subpath?.description ?? ""
            return wire
        }
        tmpfsOptions = specification.tmpfs.map { tmpfs in
            var wire = EngineAPIModel.TmpfsOptions()
            wire.sizeBytes = tmpfs.sizeBytes ?? 0
            wire.mode = Int(tmpfs.mode ?? 0)
            wire.options = tmpfs.options.map { [$0.name] + ($0.value.map { [$0] } ?? []) }
            return wire
        }
    }
}

extension EngineAPIModel.MountPoint {
    /// A mount that a container has.
    init(_ mount: EngineMountPoint) {
        self.init()
        type = mount.kind.rawValue
        source = mount.source
        destination = mount.destination
        if case .volume(let volume) = mount.content { (name, driver) = (volume.name, volume.driver) }
        if case .image(let image) = mount.content { name = image.reference }
        mode = mount.mode
        readWrite = mount.isWritable
        propagation = mount.propagation?.rawValue ?? ""
    }
}

extension MountTarget {
    /// A place of an anonymous volume.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    init(wire text: String) throws {
        do throws(Refusal) {
            try self.init(text)
        } catch {
            throw APIError.invalid("invalid volume specification: '\(text)': \(error.words(for: text))")
        }
    }
}

extension VolumesFrom {
    /// Reads `container[:mode]`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    init(wire text: String) throws {
        do throws(Refusal) {
            try self.init(text)
        } catch {
            switch error {
            case .empty: throw APIError.invalid("volumes-from specification cannot be an empty string")
            case .mode(let mode): throw APIError.invalid("invalid mode: \(mode)")
            }
        }
    }
}

extension BindSpecification {
    /// Reads `source:destination[:options]`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire text: String, version: APIVersion) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw APIError.invalid("invalid volume specification: '\(text)'")
        }
        let words = parts.count == 3 ? parts[2].split(separator: ",", omittingEmptySubsequences: false) : []
        let options = words.compactMap { Option(rawValue: $0 == "readonly" ? "ro" : String($0)) }
        func count(_ of: Set<Option>) -> Int { options.count(where: of.contains) }
        guard options.count == words.count, count([.ro, .rw]) < 2, count([.z, .Z]) < 2,
            count([.consistent, .cached, .delegated]) < 2,
            options.count(where: { MountPropagationMode(rawValue: $0.rawValue) != nil }) < 2
        else { throw APIError.invalid("invalid mode: \(parts[2])") }
        do throws(MountTarget.Refusal) {
            self.init(source: parts[0], target: try MountTarget(parts[1]), options: options)
        } catch {
            let kind = parts[0].hasPrefix("/") ? "bind" : "volume"
            throw APIError.invalid(
                "invalid volume specification: '\(text)': invalid mount config for type \"\(kind)\": "
                    + error.words(for: parts[1]))
        }
        if version < .v(44) { isReadOnlyNonRecursive = true }
    }
}

extension TmpfsMount {
    /// Reads an entry of `Tmpfs`: a place, and options as `size=64m,mode=1777`.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(wire target: String, options text: String) throws {
        let place: MountTarget
        do throws(MountTarget.Refusal) {
            place = try MountTarget(target)
        } catch {
            throw APIError.invalid(error.words(for: target))
        }
        let options = try text.split(separator: ",").map { word in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let option = TmpfsOption(name: parts[0], value: parts.count > 1 ? parts[1] : nil) else {
                throw APIError.invalid("Invalid tmpfs option \"\(word)\"")
            }
            return option
        }
        self.init(target: place, options: options)
    }
}

extension MountTarget.Refusal {
    /// What Docker says.
    fileprivate func words(for target: String) -> String {
        switch self {
        case .relative: "invalid mount path: '\(target)' mount path must be absolute"
        case .root: "invalid specification: destination can't be '/'"
        }
    }
}
