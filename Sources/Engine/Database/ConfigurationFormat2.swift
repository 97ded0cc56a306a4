import Addresses
import GRDB
import JSON
import LinuxKernel

/// From the first format of the column `configuration`, which kept many options as the texts of Docker's API, to the
/// second, which keeps their values.
///
/// What is written here is the second format for ever: a later change of the types is a format, and a migration, of
/// its own. Rows of the first format were checked when they were made, so that every text in them is one that the API
/// takes.
enum ConfigurationFormat2 {
    /// Carries all rows over. One that cannot be understood stays as it is: it costs its own container only.
    static func migrate(_ database: Database) throws {
        try ConfigurationColumn.convert(in: database) { configuration in
            guard case .object(var host)? = configuration["host"] else {
                throw EngineError.system("it is not a container's configuration")
            }
            try convert(&configuration)
            try convert(host: &host)
            configuration["host"] = .object(host)
        }
    }

    private static func convert(_ configuration: inout JSONObject) throws {
        let signal = configuration["stopSignal"]?.string ?? ""
        // An image's could be any text, and was then SIGTERM.
        configuration["stopSignal"] = Signal(signal).map { asked(.int(Int64($0.rawValue)), signal) }
        configuration["exposedPorts"] = .array(try texts(configuration["exposedPorts"]).compactMap(port))
        let address = configuration["macAddress"]?.string ?? ""
        configuration["macAddress"] = MACAddress(address) == nil ? nil : asked(.string(address), address)
    }

    private static func convert(host: inout JSONObject) throws {
        if host["networkMode"]?.string == "default" { host["networkMode"] = "bridge" }
        for name in ["capAdd", "capDrop"] {
            host[name] = .array(try texts(host[name]).map { asked(.string(capability($0)), $0) })
        }
        host["securityOptions"] = .array(try texts(host["securityOptions"]).map(securityOption))
        host["binds"] = .array(try texts(host["binds"]).map(bind))
        host["mounts"] = .array((host["mounts"]?.array ?? []).map(mount))
        host["tmpfs"] = .array(
            (host["tmpfs"]?.object ?? JSONObject()).map { target, words in
                ["target": .string(target), "options": .array(options(words.string ?? ""))]
            })
        host["extraHosts"] = .array(try texts(host["extraHosts"]).map(extraHost))
        host["publishedPorts"] = .array((host["portBindings"]?.object ?? JSONObject()).compactMap(publishedPort))
        host["portBindings"] = nil
        host["log"] = log(host["logConfiguration"])
        host["logConfiguration"] = nil
        if case .object(var resources)? = host["resources"] {
            resources["devices"] = .array((resources["devices"]?.array ?? []).map(device))
            resources["deviceCgroupRules"] = .array(try texts(resources["deviceCgroupRules"]).map(deviceRule))
            host["resources"] = .object(resources)
        }
    }

    // MARK: Single options

    private static func texts(_ value: JSONValue?) throws -> [String] {
        try (value?.array ?? []).map { element in
            guard let text = element.string else { throw EngineError.system("a text is missing") }
            return text
        }
    }

    private static func asked(_ value: JSONValue, _ words: String) -> JSONValue {
        ["value": value, "text": .string(words)]
    }

    private static func parts(_ text: String, _ separator: Character) -> [String] {
        text.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }

    private static func capability(_ text: String) -> String {
        let upper = text.uppercased()
        return upper == "ALL" || upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
    }

    private static func securityOption(_ text: String) throws -> JSONValue {
        if text == "no-new-privileges" { return asked(["name": .string(text), "value": "true"], text) }
        if text == "disable" { return asked(["name": "label", "value": "disable"], text) }
        guard let separator = text.firstIndex(of: "=") ?? text.firstIndex(of: ":") else {
            throw EngineError.system("\"\(text)\" is not a security option")
        }
        let name = String(text[..<separator])
        var value = String(text[text.index(after: separator)...])
        if ["no-new-privileges", "writable-cgroups"].contains(name) {
            value = ["1", "t", "true"].contains(value.lowercased()) ? "true" : "false"
        }
        return asked(["name": .string(name), "value": .string(value)], text)
    }

    private static func bind(_ text: String) throws -> JSONValue {
        let parts = parts(text, ":")
        guard (2...3).contains(parts.count) else { throw EngineError.system("\"\(text)\" is not a bind mount") }
        let options = parts.count == 3 ? parts[2].split(separator: ",").map { JSONValue.string(String($0)) } : []
        return ["source": .string(parts[0]), "target": .string(parts[1]), "options": .array(options)]
    }

    private static func mount(_ value: JSONValue) -> JSONValue {
        guard case .object(var mount) = value else { return value }
        if case .object(var bind)? = mount["bind"], bind["propagation"]?.string == "" {
            bind["propagation"] = nil
            mount["bind"] = .object(bind)
        }
        if case .object(var tmpfs)? = mount["tmpfs"] {
            let words = (tmpfs["options"]?.array ?? []).map { ($0.array ?? []).compactMap(\.string) }
            tmpfs["options"] = .array(words.flatMap { options($0.joined(separator: "=")) })
            mount["tmpfs"] = .object(tmpfs)
        }
        return .object(mount)
    }

    private static func options(_ text: String) -> [JSONValue] {
        text.split(separator: ",").map { option in
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            var object = JSONObject()
            object["name"] = .string(parts[0])
            if parts.count > 1 { object["value"] = .string(parts[1]) }
            return .object(object)
        }
    }

    private static func extraHost(_ text: String) throws -> JSONValue {
        guard let separator = text.firstIndex(of: "=") ?? text.firstIndex(of: ":") else {
            throw EngineError.system("\"\(text)\" is not a host and its address")
        }
        var address = text[text.index(after: separator)...]
        if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        return asked(["name": .string(String(text[..<separator])), "address": .string(String(address))], text)
    }

    /// nil for a text that is no port: the first format took any, and used none.
    private static func port(_ text: String) -> JSONValue? {
        let halves = parts(text, "/")
        let numbers = parts(halves[0], "-").compactMap { UInt16($0) }
        guard let first = numbers.first, let last = numbers.last else { return nil }
        let transport = halves.count > 1 ? halves[1].lowercased() : "tcp"
        guard first <= last, ["tcp", "udp", "sctp"].contains(transport) else { return nil }
        return ["first": .int(Int64(first)), "last": .int(Int64(last)), "transport": .string(transport)]
    }

    private static func publishedPort(_ name: String, _ bindings: JSONValue) -> JSONValue? {
        guard let port = port(name) else { return nil }
        let places = (bindings.array ?? []).map { binding in
            var place = JSONObject()
            if let address = binding["hostIP"]?.string, IPAddress(address) != nil {
                place["address"] = .string(address)
            }
            let numbers = parts(binding["hostPort"]?.string ?? "", "-").compactMap { UInt16($0) }
            if let first = numbers.first, let last = numbers.last, first <= last {
                place["ports"] = ["first": .int(Int64(first)), "last": .int(Int64(last))]
            }
            return JSONValue.object(place)
        }
        return ["port": port, "bindings": .array(places)]
    }

    private static func log(_ value: JSONValue?) -> JSONValue {
        let options = value?["options"]?.object ?? JSONObject()
        func text(_ name: String) -> String? { options[name]?.string }
        func names(_ name: String) -> JSONValue {
            .array((text(name) ?? "").split(separator: ",").map { .string(String($0)) })
        }
        var file = JSONObject()
        file["maxSize"] = text("max-size").flatMap { text in bytes(text).map { asked(.int($0), text) } }
        file["maxFiles"] = text("max-file").flatMap { Int64($0) }.map { .int($0) }
        file["labels"] = names("labels")
        file["environment"] = names("env")
        file["labelsPattern"] = text("labels-regex").flatMap(expression)
        file["environmentPattern"] = text("env-regex").flatMap(expression)
        file["tag"] = text("tag").map { .string($0) }
        file["mode"] = text("mode").flatMap { ["blocking", "non-blocking"].contains($0) ? .string($0) : nil }
        file["maxBufferSize"] = text("max-buffer-size").flatMap { text in bytes(text).map { asked(.int($0), text) } }
        file["compresses"] = text("compress").map { _ in false }
        var log = JSONObject()
        if let driver = value?["driver"]?.string, !driver.isEmpty { log["driver"] = .string(driver) }
        log["file"] = .object(file)
        return .object(log)
    }

    private static func expression(_ text: String) -> JSONValue? {
        // The first format took any text; what was no expression chose nothing.
        (try? GoRegularExpression(text)) == nil ? nil : .string(text)
    }

    private static func bytes(_ text: String) -> Int64? {
        if text == "-1" { return 0 }
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isNumber || $0 == "." }
        let unit = lower.dropFirst(digits.count).first ?? "b"
        guard let number = Double(digits), let power = ["b", "k", "m", "g", "t"].firstIndex(of: unit) else {
            return nil
        }
        let value = (0..<power).reduce(number) { sofar, _ in sofar * 1024 }
        return value < 9e18 ? Int64(value) : nil
    }

    private static func device(_ value: JSONValue) -> JSONValue {
        guard case .object(var device) = value else { return value }
        let words = device["cgroupPermissions"]?.string ?? "rwm"
        device["access"] = asked(.string(String("rwm".filter { words.contains($0) })), words)
        device["cgroupPermissions"] = nil
        return .object(device)
    }

    private static func deviceRule(_ text: String) throws -> JSONValue {
        let words = parts(text, " ")
        let numbers = words.count == 3 ? parts(words[1], ":") : []
        guard numbers.count == 2 else { throw EngineError.system("\"\(text)\" is not a rule for devices") }
        var rule = JSONObject()
        rule["kind"] = .string(words[0])
        if let major = UInt32(numbers[0]) { rule["major"] = .int(Int64(major)) }
        if let minor = UInt32(numbers[1]) { rule["minor"] = .int(Int64(minor)) }
        rule["access"] = .string(String("rwm".filter { words[2].contains($0) }))
        return .object(rule)
    }
}
