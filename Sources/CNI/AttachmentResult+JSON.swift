import Addresses
import JSON

extension AttachmentResult {
    /// Reads what a plugin has written, in the version that it names, or else in `standard`.
    ///
    /// - Throws: `CNIError` (system) that says what is wrong with it.
    package init(json: JSONValue, standard: CNIVersion) throws(CNIError) {
        let reader = try ResultReader(json, path: "")
        var version = standard
        if let text = try reader.text("cniVersion"), !text.isEmpty {
            guard let known = CNIVersion(text), CNIVersion.known.contains(known) else {
                throw reader.wrong("cniVersion", "is \"\(text)\", which is no version that Masu knows")
            }
            version = known
        }
        interfaces = try reader.elements("interfaces") { (reader) throws(CNIError) in
            Interface(
                name: try reader.text("name") ?? "", hardwareAddress: try reader.text("mac") ?? "",
                mtu: version.hasStatus ? try reader.number("mtu") : nil, sandbox: try reader.text("sandbox") ?? "",
                socketPath: version.hasStatus ? try reader.text("socketPath") ?? "" : "",
                deviceID: version.hasStatus ? try reader.text("pciID") ?? "" : "")
        }
        let count = interfaces.count
        addresses = try reader.elements("ips") { (reader) throws(CNIError) in
            let interface = try reader.number("interface")
            if let interface, !(0..<Int64(count)).contains(interface) {
                throw reader.wrong("interface", "is \(interface), and there are \(count) interfaces")
            }
            return Address(
                address: try reader.required("address", "an address with the length of its prefix") { IPInterface($0) },
                gateway: try reader.value("gateway", "an address") { IPAddress($0) },
                interface: interface.map { Int($0) })
        }
        routes = try reader.elements("routes") { (reader) throws(CNIError) in
            var route = Route(
                destination: try reader.required("dst", "a subnet") { IPSubnet($0) },
                gateway: try reader.value("gw", "an address") { IPAddress($0) })
            for metric in Metric.allCases where version.hasStatus {
                route.metrics[metric] = try reader.number(metric.rawValue)
            }
            return route
        }
        if let dns = try reader.object("dns") {
            for text in try dns.texts("nameservers") {
                guard let server = IPAddress(text) else {
                    throw dns.wrong("nameservers", "has \"\(text)\", which is no address")
                }
                resolver.servers.append(server)
            }
            resolver.domain = try dns.text("domain") ?? ""
            resolver.searches = try dns.texts("search")
            resolver.options = try dns.texts("options")
        }
    }

    /// What a plugin of this version expects: what the version does not know is left out.
    package func json(_ version: CNIVersion) -> JSONValue {
        var result = JSONObject()
        result["cniVersion"] = .string(version.description)
        if !interfaces.isEmpty { result["interfaces"] = .array(interfaces.map { Self.json($0, version) }) }
        if !addresses.isEmpty { result["ips"] = .array(addresses.map { Self.json($0, version) }) }
        if !routes.isEmpty { result["routes"] = .array(routes.map { Self.json($0, version) }) }
        result["dns"] = Self.json(resolver)
        return .object(result)
    }

    private static func json(_ interface: Interface, _ version: CNIVersion) -> JSONValue {
        var object = JSONObject()
        object["name"] = .string(interface.name)
        object.add("mac", interface.hardwareAddress)
        if version.hasStatus { object["mtu"] = interface.mtu.map { .int($0) } }
        object.add("sandbox", interface.sandbox)
        if version.hasStatus {
            object.add("socketPath", interface.socketPath)
            object.add("pciID", interface.deviceID)
        }
        return .object(object)
    }

    private static func json(_ address: Address, _ version: CNIVersion) -> JSONValue {
        var object = JSONObject()
        if version.addressesHaveVersion { object["version"] = address.address.address.isIPv6 ? "6" : "4" }
        object["interface"] = address.interface.map { .int(Int64($0)) }
        object["address"] = .string(address.address.description)
        object["gateway"] = address.gateway.map { .string($0.description) }
        return .object(object)
    }

    private static func json(_ route: Route, _ version: CNIVersion) -> JSONValue {
        var object = JSONObject()
        object["dst"] = .string(route.destination.description)
        object["gw"] = route.gateway.map { .string($0.description) }
        for metric in Metric.allCases where version.hasStatus {
            object[metric.rawValue] = route.metrics[metric].map { .int($0) }
        }
        return .object(object)
    }

    private static func json(_ advice: ResolverAdvice) -> JSONValue {
        var object = JSONObject()
        func add(_ key: String, _ texts: [String]) {
            if !texts.isEmpty { object[key] = .array(texts.map { .string($0) }) }
        }
        add("nameservers", advice.servers.map(\.description))
        object.add("domain", advice.domain)
        add("search", advice.searches)
        add("options", advice.options)
        return .object(object)
    }
}

extension JSONObject {
    fileprivate mutating func add(_ key: String, _ text: String) {
        if !text.isEmpty { self[key] = .string(text) }
    }
}

/// Reads members of an object in a result, and says which one is wrong. A member that is `null` counts as left out, as
/// for Go's decoder.
private struct ResultReader {
    private let object: JSONObject
    private let path: String

    init(_ value: JSONValue, path: String) throws(CNIError) {
        guard let object = value.object else {
            let what = path.isEmpty ? "it" : path
            throw CNIError(.system, "\(what) is \(value.kindName) instead of an object")
        }
        self.object = object
        self.path = path
    }

    func wrong(_ key: String, _ complaint: String) -> CNIError {
        CNIError(.system, "\(path.isEmpty ? "" : path + ".")\(key) \(complaint)")
    }

    private func member(_ key: String) -> JSONValue? {
        // Not by a ternary: there nil would be JSON's.
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    private func of(_ kind: String, _ key: String, _ value: JSONValue) -> CNIError {
        wrong(key, "is \(value.kindName) instead of \(kind)")
    }

    func text(_ key: String) throws(CNIError) -> String? {
        guard let value = member(key) else { return nil }
        guard let text = value.string else { throw of("a string", key, value) }
        return text
    }

    func number(_ key: String) throws(CNIError) -> Int64? {
        guard let value = member(key) else { return nil }
        guard let number = value.int else { throw of("a whole number", key, value) }
        return number
    }

    func texts(_ key: String) throws(CNIError) -> [String] {
        guard let value = member(key) else { return [] }
        guard let array = value.array else { throw of("an array", key, value) }
        let texts = array.compactMap(\.string)
        guard texts.count == array.count else { throw wrong(key, "has something else than strings") }
        return texts
    }

    func object(_ key: String) throws(CNIError) -> ResultReader? {
        guard let value = member(key) else { return nil }
        return try ResultReader(value, path: path.isEmpty ? key : path + "." + key)
    }

    func value<Value>(_ key: String, _ kind: String, _ read: (String) -> Value?) throws(CNIError) -> Value? {
        guard let text = try text(key), !text.isEmpty else { return nil }
        guard let value = read(text) else { throw wrong(key, "is \"\(text)\", which is not \(kind)") }
        return value
    }

    func required<Value>(_ key: String, _ kind: String, _ read: (String) -> Value?) throws(CNIError) -> Value {
        guard let value = try value(key, kind, read) else { throw wrong(key, "is missing") }
        return value
    }

    func elements<Value>(
        _ key: String, _ read: (ResultReader) throws(CNIError) -> Value
    ) throws(CNIError) -> [Value] {
        guard let value = member(key) else { return [] }
        guard let array = value.array else { throw of("an array", key, value) }
        var values: [Value] = []
        for (index, element) in array.enumerated() {
            values.append(try read(try ResultReader(element, path: "\(key)[\(index)]")))
        }
        return values
    }
}
