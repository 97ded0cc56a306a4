import Addresses
import JSON
import SystemPackage

/// What one container asks of a network; specification 1.1, section 3, "Attachment Parameters".
package struct AttachmentParameters: Hashable, Sendable, Codable {
    /// The container's id (`CNI_CONTAINERID`).
    package let container: String
    /// The path of its network namespace (`CNI_NETNS`), at which it is from ADD to DEL.
    package let namespace: String
    /// What the interface inside is to be called (`CNI_IFNAME`).
    package let interface: String
    /// More arguments for all plugins (`CNI_ARGS`), in their order.
    package let arguments: [Argument]
    /// What the runtime knows, by the names of CONVENTIONS.md. A plugin gets what it has declared as its capability.
    package let capabilities: JSONValue

    /// One of `CNI_ARGS`.
    package struct Argument: Hashable, Sendable, Codable {
        /// The key.
        package let name: String
        /// The value.
        package let value: String

        /// A key with its value.
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The parameters of an attachment.
    ///
    /// - Throws: `CNIError` (invalid) for what the specification does not allow.
    package init(
        container: String, namespace: FilePath, interface: String, arguments: [Argument] = [],
        capabilities: [Capability] = []
    ) throws(CNIError) {
        guard CNIName.isValid(container) else {
            throw CNIError(.invalid, "\"\(container)\" cannot be the id of a container on a CNI network")
        }
        guard CNIName.isInterface(interface) else {
            throw CNIError(.invalid, "\"\(interface)\" cannot be the name of an interface")
        }
        for argument in arguments {
            let texts = [argument.name, argument.value]
            guard !argument.name.isEmpty, !texts.contains(where: { $0.utf8.contains { ";=\0".utf8.contains($0) } })
            else {
                throw CNIError(
                    .invalid, "\"\(argument.name)=\(argument.value)\" cannot be an argument of plugins")
            }
        }
        self.container = container
        self.namespace = namespace.string
        self.interface = interface
        self.arguments = arguments
        var object = JSONObject()
        for capability in capabilities { object[capability.name] = capability.value }
        self.capabilities = .object(object)
    }
}
