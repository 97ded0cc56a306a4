import Distribution
import Flags
import JSON
import LinuxKernel
import SystemPackage

/// `daemon.json`: the same settings as the flags, by the keys of Docker's file.
///
/// The file is turned into arguments and read by the flag parser, so that a value means the same in both places.
struct ConfigurationFile {
    /// Arguments that say what the file says.
    let arguments: [String]
    /// The flags that the file sets, with their values as written.
    let settings: [String: String]
    /// `runtimeArgs` of each of the `runtimes`, which have no flag.
    let runtimeArguments: [String: [String]]

    /// Options without effect by their keys; whatever they hold is taken.
    private static let borrowed = Dictionary(
        uniqueKeysWithValues: BorrowedOption.all.map { ($0.key, $0.name) })

    /// Keys whose names differ from the flag's because they hold several values.
    private static let lists = [
        "hosts": "host", "labels": "label", "exec-opts": "exec-opt", "log-opts": "log-opt", "runtimes": "add-runtime",
        "default-ulimits": "default-ulimit", "dns": "dns", "dns-opts": "dns-opt", "dns-search": "dns-search",
        "insecure-registries": "insecure-registry", "registry-mirrors": "registry-mirror",
        "storage-opts": "storage-opt", "default-address-pools": "default-address-pool",
        "default-network-opts": "default-network-opt", "host-gateway-ips": "host-gateway-ip",
        "cni-bin-dirs": "cni-bin-dir", "cdi-spec-dirs": "cdi-spec-dir",
    ]

    /// What only makes sense on a command line.
    private static let onlyFlags: Set = [
        "config-file", "validate", "version", "host", "label", "exec-opt", "log-opt",
        "add-runtime", "default-ulimit", "dns-opt", "insecure-registry", "registry-mirror", "storage-opt",
        "default-address-pool", "default-network-opt", "cni-bin-dir", "cdi-spec-dir", "http-proxy", "https-proxy",
        "no-proxy",
    ]

    /// Reads the text of a file.
    ///
    /// - Throws: `ConfigurationError` with the words of `dockerd`.
    init(json: [UInt8]) throws {
        var arguments: [String] = []
        var settings: [String: String] = [:]
        var runtimeArguments: [String: [String]] = [:]
        for (key, value) in try Self.object(json) {
            if key == "proxies" {
                for (flag, text) in try Self.proxies(value) {
                    arguments.append("--\(flag)=\(text)")
                    settings[flag] = ProxySettings.masked(text)
                }
                continue
            }
            if let flag = Self.borrowed[key] {
                let texts = Self.texts(value)
                arguments += texts.map { "--\(flag)=\($0)" }
                settings[flag] = texts.joined(separator: ", ")
                continue
            }
            let flag = Self.lists[key] ?? key
            let texts = Self.lists[key] == nil ? [try Self.scalar(value, key)] : try Self.elements(value, key)
            arguments += texts.map { "--\(flag)=\($0)" }
            if key == "runtimes" { runtimeArguments = try Self.runtimeArguments(value) }
            settings[flag] = texts.joined(separator: ", ")
        }
        self.arguments = arguments
        self.settings = settings
        self.runtimeArguments = runtimeArguments
    }

    /// Reads the file at `path`; `nil` if there is none.
    static func read(_ path: FilePath) throws -> ConfigurationFile? {
        let bytes: [UInt8]
        do {
            bytes = try FileDescriptor.contents(of: path)
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw ConfigurationError("cannot read the file: \(error)")
        }
        return try ConfigurationFile(json: bytes)
    }

    private static func object(_ json: [UInt8]) throws -> JSONObject {
        guard json.contains(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else { return JSONObject() }
        guard let object = try JSON.parse(json).object else { throw ConfigurationError("must be a JSON object") }
        let names = Set(DaemonFlags.all.map(\.definition.name)).subtracting(onlyFlags)
            .subtracting(BorrowedOption.all.map(\.name))
        let unknown = object.keys.filter {
            !names.contains($0) && lists[$0] == nil && borrowed[$0] == nil && $0 != "proxies"
        }.sorted()
        guard unknown.isEmpty else {
            throw ConfigurationError(
                "the following directives don't match any configuration option: \(unknown.joined(separator: ", "))")
        }
        return object
    }

    /// The flags and values of `proxies`, whose keys are named as the flags.
    private static func proxies(_ value: JSONValue) throws -> [(flag: String, text: String)] {
        let keys = ["http-proxy", "https-proxy", "no-proxy"]
        guard let members = value.object else {
            throw ConfigurationError("proxies: must be an object, not \(value.kindName)")
        }
        return try members.map { key, member in
            guard keys.contains(key) else {
                throw ConfigurationError(
                    "the following directives don't match any configuration option: proxies.\(key)")
            }
            return (key, try scalar(member, "proxies.\(key)"))
        }
    }

    /// Any value as texts: what it holds, one each.
    private static func texts(_ value: JSONValue) -> [String] {
        func text(_ value: JSONValue) -> String { value.string ?? value.text() }
        switch value {
        case .null: return []
        case .array(let elements): return elements.map(text)
        case .object(let members): return members.map { "\($0.0)=\(text($0.1))" }
        default: return [text(value)]
        }
    }

    private static func scalar(_ value: JSONValue, _ key: String) throws -> String {
        switch value {
        case .string(let text): return text
        case .bool(let truth): return truth ? "true" : "false"
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        default: throw ConfigurationError("\(key): must not be \(value.kindName)")
        }
    }

    private static func elements(_ value: JSONValue, _ key: String) throws -> [String] {
        switch value {
        case .array(let elements):
            var texts: [String] = []
            for element in elements {
                texts.append(
                    key == "default-address-pools" ? try addressPool(element) : try scalar(element, key))
            }
            return texts
        case .object(let members):
            var texts: [String] = []
            for (name, member) in members {
                guard key == "default-network-opts" else {
                    texts.append(name + "=" + (try self.member(member, key)))
                    continue
                }
                for (option, value) in member.object ?? JSONObject() {
                    texts.append("\(name)=\(option)=" + (try scalar(value, "\(key).\(name)")))
                }
            }
            return texts
        default:
            throw ConfigurationError("\(key): must be an array or an object, not \(value.kindName)")
        }
    }

    /// `{"base": "10.0.0.0/8", "size": 24}` as the flag has it.
    private static func addressPool(_ value: JSONValue) throws -> String {
        guard let members = value.object else { return try scalar(value, "default-address-pools") }
        return try members.map { "\($0)=" + (try scalar($1, "default-address-pools")) }.joined(separator: ",")
    }

    private static func runtimeArguments(_ value: JSONValue) throws -> [String: [String]] {
        var arguments: [String: [String]] = [:]
        for (name, runtime) in value.object ?? JSONObject() {
            guard let given = runtime["runtimeArgs"] else { continue }
            guard let elements = given.array, elements.allSatisfy({ $0.string != nil }) else {
                throw ConfigurationError("runtimes: runtimeArgs of \(name) must be an array of strings")
            }
            arguments[name] = elements.compactMap(\.string)
        }
        return arguments
    }

    /// What stands after `name=`: a runtime's path, a ulimit's `soft:hard`, or a plain value.
    private static func member(_ value: JSONValue, _ key: String) throws -> String {
        guard let object = value.object else { return try scalar(value, key) }
        switch key {
        case "runtimes":
            guard let path = object["path"]?.string, object.keys.allSatisfy({ ["path", "runtimeArgs"].contains($0) })
            else {
                throw ConfigurationError(
                    "runtimes: only {\"path\": \"…\", \"runtimeArgs\": [\"…\"]} is supported")
            }
            return path
        case "default-ulimits":
            guard let soft = object["Soft"]?.int, let hard = object["Hard"]?.int else {
                throw ConfigurationError("default-ulimits: must have Soft and Hard")
            }
            return "\(soft):\(hard)"
        default:
            throw ConfigurationError("\(key): must not hold objects")
        }
    }
}

/// What is wrong with flags or the configuration file.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension FileDescriptor {
    /// Everything from here to the end of the file.
    func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try read(into: $0) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// The contents of a file.
    static func contents(of path: FilePath) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        defer { file.discard() }
        return try file.readToEnd()
    }
}
