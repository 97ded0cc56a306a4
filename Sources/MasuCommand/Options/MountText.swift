import EngineAPIModel
import Flags

/// The long form of a mount: `--mount type=bind,source=/a,target=/b,readonly`.
package enum MountText {
    /// Parses one `--mount`.
    ///
    /// - Throws: `InvalidFlagValue` in docker's words.
    package static func parse(_ text: String) throws(InvalidFlagValue) -> Mount {
        guard !text.isEmpty else { throw InvalidFlagValue("value is empty") }
        var builder = Builder()
        for field in try CommaSeparated.fields(text) { try builder.add(field) }
        return try builder.finished()
    }

    private struct Builder {
        private var mount = Mount()
        private var bind: BindOptions?
        private var volume: VolumeOptions?
        private var image: ImageMountOptions?
        private var tmpfs: TmpfsOptions?

        mutating func add(_ field: String) throws(InvalidFlagValue) {
            let (key, value, hasValue) = KeyValueTexts.divide(field)
            if !hasValue {
                switch key {
                case "readonly", "ro":
                    mount.readOnly = true
                    return
                case "volume-nocopy":
                    volume = volume ?? VolumeOptions()
                    volume?.noCopy = true
                    return
                case "bind-nonrecursive":
                    bind = bind ?? BindOptions()
                    bind?.nonRecursive = true
                    return
                case "bind-create-src":
                    bind = bind ?? BindOptions()
                    bind?.createMountpoint = true
                    return
                default: throw InvalidFlagValue("invalid field '\(field)' must be a key=value pair")
                }
            }
            switch key {
            case "type": mount.type = value.lowercased()
            case "source", "src":
                mount.source = value
                if value == "." || value.hasPrefix("./") { mount.source = LocalFile.absolute(value) }
            case "target", "dst", "destination": mount.target = value
            case "readonly", "ro": mount.readOnly = try boolean(key, value)
            case "consistency": mount.consistency = value.lowercased()
            case _ where key.hasPrefix("bind-"): try addBind(key, value, field)
            case _ where key.hasPrefix("volume-"): try addVolume(key, value, field)
            case _ where key.hasPrefix("tmpfs-"): try addTmpfs(key, value, field)
            case "image-subpath":
                image = image ?? ImageMountOptions()
                image?.subpath = value
            default: throw InvalidFlagValue("unexpected key '\(key)' in '\(field)'")
            }
        }

        private mutating func addBind(_ key: String, _ value: String, _ field: String) throws(InvalidFlagValue) {
            var options = bind ?? BindOptions()
            switch key {
            case "bind-propagation": options.propagation = value.lowercased()
            case "bind-nonrecursive": options.nonRecursive = try boolean(key, value)
            case "bind-create-src": options.createMountpoint = try boolean(key, value)
            case "bind-recursive":
                switch value {
                case "enabled": break
                case "disabled": options.nonRecursive = true
                case "writable": options.readOnlyNonRecursive = true
                case "readonly": options.readOnlyForceRecursive = true
                default:
                    throw InvalidFlagValue(
                        "invalid value for bind-recursive: \(value) "
                            + "(must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")")
                }
            default: throw InvalidFlagValue("unexpected key '\(key)' in '\(field)'")
            }
            bind = options
        }

        private mutating func addVolume(_ key: String, _ value: String, _ field: String) throws(InvalidFlagValue) {
            var options = volume ?? VolumeOptions()
            switch key {
            case "volume-subpath": options.subpath = value
            case "volume-nocopy": options.noCopy = try boolean(key, value)
            case "volume-label":
                let (name, text, _) = KeyValueTexts.divide(value)
                if !name.isEmpty { options.labels[name] = text }
            case "volume-driver":
                options.driverConfig = options.driverConfig ?? VolumeDriverConfig()
                options.driverConfig?.name = value
            case "volume-opt":
                let (name, text, _) = KeyValueTexts.divide(value)
                options.driverConfig = options.driverConfig ?? VolumeDriverConfig()
                if !name.isEmpty { options.driverConfig?.options[name] = text }
            default: throw InvalidFlagValue("unexpected key '\(key)' in '\(field)'")
            }
            volume = options
        }

        private mutating func addTmpfs(_ key: String, _ value: String, _ field: String) throws(InvalidFlagValue) {
            var options = tmpfs ?? TmpfsOptions()
            switch key {
            case "tmpfs-size":
                guard let size = try? FlagValue.bytes(value) else {  // the reason is in docker's own words below
                    throw InvalidFlagValue("invalid value for \(key): \(value)")
                }
                options.sizeBytes = size
            case "tmpfs-mode":
                guard let mode = UInt32(value, radix: 8) else {
                    throw InvalidFlagValue("invalid value for \(key): \(value)")
                }
                options.mode = Int(mode)
            default: throw InvalidFlagValue("unexpected key '\(key)' in '\(field)'")
            }
            tmpfs = options
        }

        private func boolean(_ key: String, _ value: String) throws(InvalidFlagValue) -> Bool {
            do {
                return try FlagValue.boolean(value)
            } catch {
                throw InvalidFlagValue("invalid value for \(key): \(value)")
            }
        }

        consuming func finished() throws(InvalidFlagValue) -> Mount {
            if mount.type.isEmpty { mount.type = "volume" }
            guard !mount.target.isEmpty else { throw InvalidFlagValue("target is required") }
            let given = [
                ("bind", bind != nil), ("volume", volume != nil), ("image", image != nil), ("tmpfs", tmpfs != nil),
            ]
            for (kind, isGiven) in given where isGiven && mount.type != kind {
                throw InvalidFlagValue("cannot mix '\(kind)-*' options with mount type '\(mount.type)'")
            }
            if let bind, bind.readOnlyNonRecursive || bind.readOnlyForceRecursive {
                let option = "option 'bind-recursive=\(bind.readOnlyNonRecursive ? "writable" : "readonly")'"
                if !mount.readOnly {
                    throw InvalidFlagValue("\(option) requires 'readonly' to be specified in conjunction")
                }
                if bind.readOnlyForceRecursive, bind.propagation != "rprivate" {
                    throw InvalidFlagValue(
                        "\(option) requires 'bind-propagation=rprivate' to be specified in conjunction")
                }
            }
            mount.bindOptions = bind
            mount.volumeOptions = volume
            mount.imageOptions = image
            mount.tmpfsOptions = tmpfs
            return mount
        }
    }
}
