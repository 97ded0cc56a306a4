import JSON
import Logging
import SystemPackage

/// A plugin by Docker's protocol, version 1: a program that listens on a socket and makes volumes.
struct PluginDriver: VolumeDriver {
    let name: String
    let scope: VolumeScope
    private let calls: PluginCalls

    /// Asks a plugin what it can do.
    ///
    /// - Throws: `.unavailable` if it cannot be reached; `.system` if it makes no volumes.
    init(_ name: String, at address: PluginAddress, _ configuration: VolumesConfiguration, logger: Logger)
        throws(VolumesError)
    {
        self.name = name
        let calls = PluginCalls(address: address, configuration: configuration)
        self.calls = calls
        let manifest = try calls.activate()
        guard manifest.contains("VolumeDriver") else {
            throw .system("Plugin does not implement the requested driver")
        }
        do throws(VolumesError) {
            let word = (try calls.capabilities() ?? "").lowercased()
            if !word.isEmpty, VolumeScope(rawValue: word) == nil {
                logger.warning(
                    "a plugin has a scope that is none", metadata: ["plugin": "\(name)", "scope": "\(word)"])
            }
            scope = VolumeScope(rawValue: word) ?? .local
        } catch {
            // A plugin need not know this call.
            scope = .local
        }
    }

    func define(_ name: String, options: [String: String]) throws(VolumesError) -> VolumeDefinition { .plugin }

    func create(_ volume: Volume) throws(VolumesError) -> Volume {
        let request = PluginMessages.Creation(Name: volume.name, Opts: volume.options ?? [:])
        let outcome = try calls.call("Create", request, as: PluginMessages.Outcome.self, isLong: true)
        try refuse(outcome.Err)
        return volume
    }

    func look(_ name: String) throws(VolumesError) -> VolumeSighting? {
        do throws(VolumesError) {
            let found = try calls.call(
                "Get", PluginMessages.Named(Name: name), as: PluginMessages.Found.self, isLong: false)
            try refuse(found.Err)
            return found.Volume.map { VolumeSighting($0, name: name) }
        } catch {
            // Whatever the plugin says, it does not have the volume.
            if error.kind == .unavailable { throw error }
            return nil
        }
    }

    func list() throws(VolumesError) -> [VolumeSighting] {
        let all = try calls.call("List", PluginMessages.Nothing(), as: PluginMessages.All.self, isLong: false)
        try refuse(all.Err)
        return (all.Volumes ?? []).compactMap { volume in volume.Name.map { VolumeSighting(volume, name: $0) } }
    }

    func remove(_ volume: Volume) throws(VolumesError) {
        let outcome = try calls.call(
            "Remove", PluginMessages.Named(Name: volume.name), as: PluginMessages.Outcome.self, isLong: false)
        try refuse(outcome.Err)
    }

    func mount(_ volume: Volume, id: String) throws(VolumesError) -> VolumeMount {
        let place = try calls.call(
            "Mount", PluginMessages.Use(Name: volume.name, ID: id), as: PluginMessages.Place.self, isLong: true)
        try refuse(place.Err)
        guard let path = place.Mountpoint, path.hasPrefix("/") else {
            throw .system("the plugin \(name) does not say where volume \(volume.name) is mounted")
        }
        return .directory(FilePath(path))
    }

    func unmount(_ volume: Volume, id: String) throws(VolumesError) {
        let outcome = try calls.call(
            "Unmount", PluginMessages.Use(Name: volume.name, ID: id), as: PluginMessages.Outcome.self, isLong: false)
        try refuse(outcome.Err)
    }

    /// Throws what a plugin says that went wrong, in its own words.
    private func refuse(_ reason: String?) throws(VolumesError) {
        if let reason, !reason.isEmpty { throw .system(reason) }
    }
}

extension VolumeSighting {
    fileprivate init(_ sighting: PluginMessages.Sighting, name: String) {
        self.init(name: name, mountpoint: sighting.Mountpoint ?? "", createdAt: sighting.CreatedAt ?? "")
        if case .object(let object)? = sighting.Status, !object.isEmpty { status = JSONValue.object(object).text() }
    }
}

/// The calls that a plugin understands.
struct PluginCalls: Sendable {
    let address: PluginAddress
    let configuration: VolumesConfiguration

    /// What the plugin implements.
    func activate() throws(VolumesError) -> [String] {
        let body = try send("Plugin.Activate", [], within: configuration.shortPluginLimit)
        return try read(PluginMessages.Manifest.self, body, of: "Plugin.Activate").Implements ?? []
    }

    /// The scope of its volumes.
    func capabilities() throws(VolumesError) -> String? {
        let abilities = try call(
            "Capabilities", PluginMessages.Nothing(), as: PluginMessages.Abilities.self, isLong: false)
        return abilities.Capabilities?.Scope
    }

    /// One of the calls about volumes.
    func call<Answer: Decodable>(
        _ method: String, _ request: some Encodable, as type: Answer.Type, isLong: Bool
    ) throws(VolumesError) -> Answer {
        let body: [UInt8]
        do { body = try JSON.encode(request) } catch { throw .system("\(error)") }
        let limit = isLong ? configuration.longPluginLimit : configuration.shortPluginLimit
        return try read(type, try send("VolumeDriver." + method, body + [0x0A], within: limit), of: method)
    }

    private func send(_ method: String, _ body: [UInt8], within limit: Duration) throws(VolumesError) -> [UInt8] {
        let connection = PluginConnection(address: address, patience: configuration.pluginPatience)
        let answer = try connection.post(method, body, within: limit)
        guard answer.status == 200 else {
            // The reason is in the document, or it is the whole body; what is neither is no error of its own.
            let reason = (try? JSON.decode(PluginMessages.Outcome.self, from: answer.body))?.Err ?? ""
            let text = reason.isEmpty ? String(decoding: answer.body.prefix(4096), as: UTF8.self) : reason
            throw .system("\(method): \(text)")
        }
        return answer.body
    }

    private func read<Answer: Decodable>(
        _ type: Answer.Type, _ body: [UInt8], of method: String
    ) throws(VolumesError) -> Answer {
        do {
            return try JSON.decode(type, from: try JSON.parse(body), ignoringCase: true)
        } catch {
            throw .system("\(method): the plugin's answer cannot be read: \(error)")
        }
    }
}
