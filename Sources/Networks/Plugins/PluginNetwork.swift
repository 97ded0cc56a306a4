import CNI
import OCISpec
import Hashing

/// Networks that plugins of CNI make: `cni:<name>` is the one that a file of the administrator's calls `<name>`.
///
/// Such a network is not created: it is there whenever a file defines it, and in the database and in memory as long as
/// a container is on it. Its id follows from its name. A container on it is on no other network, as each plugin sees to
/// addresses and routes as if it were alone; and it comes and goes by its start and its end.
package enum PluginNetwork {
    /// What names of such networks begin with.
    package static let prefix = "cni:"

    /// What a file has to call the network with this name; `nil` for names of other networks.
    package static func name(in text: String) -> String? {
        text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
    }

    /// The network with this name, of which there may be no file.
    static func network(_ name: String, createdAt: Timestamp = Timestamp(seconds: 0, nanoseconds: 0)) -> Network {
        var hasher = ContentHasher()
        Array(name.utf8).withUnsafeBytes { hasher.update($0) }
        let digits = hasher.hash.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return Network(
            id: digits.joined(), name: name, createdAt: createdAt, driver: .cni, hasIPv4: true,
            addressingDriver: "default")
    }

    /// Docker's clients can ask for what plugins cannot do.
    package static let changeOfRunning = NetworksError(
        .forbidden,
        "a container is connected to a CNI network and disconnected from it only while it does not run: the network's "
            + "plugins run when the container starts and when it has ended")

    /// What is said of a container that is to be on one of them and on another network.
    package static let notAlone = NetworksError(
        .invalid,
        "a container on a CNI network can be on no other network: its plugins set up addresses and routes as if there "
            + "were no other")

    static func removal(of name: String) -> NetworksError {
        .forbidden("network \(name) is defined by a file in the directory of --cni-conf-dir: remove that file instead")
    }

    /// Throws for what no plugin is told.
    static func check(_ request: EndpointRequest) throws(NetworksError) {
        var reasons: [String] = []
        if !request.linkLocal.isEmpty { reasons.append("link-local addresses are for the plugins to give") }
        if !request.links.isEmpty { reasons.append("there are no links between containers") }
        for option in request.driverOptions.keys.sorted() where option != interfaceOption {
            reasons.append("plugins have no option \(option): they are configured by the network's file")
        }
        if reasons.isEmpty { return }
        throw .invalid("invalid endpoint settings for a CNI network:\n" + NetworksError.joined(reasons))
    }

    private static let interfaceOption = "com.docker.network.endpoint.ifname"
}

extension SandboxRequest {
    /// Whether one of its networks is made by plugins.
    var usesPlugins: Bool { endpoints.contains { PluginNetwork.name(in: $0.network) != nil } }
}
