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
        self.init(kind: kind, source: wire.source, target: wire.target, readOnly: wire.readOnly)
        consistency = wire.consistency
        if version >= .v(42) {
            if wire.volumeOptions != nil, kind != .volume { throw Self.misplaced("VolumeOptions", wire.type) }
            if wire.bindOptions != nil, kind != .bind { throw Self.misplaced("BindOptions", wire.type) }
            if wire.tmpfsOptions != nil, kind != .tmpfs { throw Self.misplaced("TmpfsOptions", wire.type) }
        }
        if let options = wire.bindOptions, kind == .bind {
            var bind = BindOptions()
            bind.propagation = options.propagation
            bind.nonRecursive = version < .v(40) ? false : options.nonRecursive
            bind.createMountpoint = version < .v(42) ? false : options.createMountpoint
            bind.readOnlyNonRecursive = version < .v(44) ? true : options.readOnlyNonRecursive
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
            tmpfs.options = version < .v(46) ? [] : options.options
            self.tmpfs = tmpfs
        }
    }

    private static func misplaced(_ options: String, _ type: String) -> APIError {
        .invalid("\(options) must not be specified on mount type \"\(type)\"")
    }
}

extension Mount {
    /// A mount as `HostConfig.Mounts` of an inspected container shows it.
    init(_ specification: MountSpecification) {
        self.init()
        type = specification.kind.rawValue
        source = specification.source
        target = specification.target
        readOnly = specification.readOnly
        consistency = specification.consistency
        bindOptions = specification.bind.map { bind in
            var wire = EngineAPIModel.BindOptions()
            wire.propagation = bind.propagation
            wire.nonRecursive = bind.nonRecursive
            wire.createMountpoint = bind.createMountpoint
            wire.readOnlyNonRecursive = bind.readOnlyNonRecursive
            wire.readOnlyForceRecursive = bind.readOnlyForceRecursive
            return wire
        }
        tmpfsOptions = specification.tmpfs.map { tmpfs in
            var wire = EngineAPIModel.TmpfsOptions()
            wire.sizeBytes = tmpfs.sizeBytes ?? 0
            wire.mode = Int(tmpfs.mode ?? 0)
            wire.options = tmpfs.options
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
        mode = mount.mode
        readWrite = mount.isWritable
        propagation = mount.propagation
    }
}
