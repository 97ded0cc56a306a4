/// All that is needed to check an attachment and to take it away again, also by another process after a crash: the
/// runtime keeps it from before ADD until after DEL. It holds the network's configuration as it was, because a file
/// may change, or go, while a container is on the network.
package struct AttachmentRecord: Hashable, Sendable, Codable {
    /// The network.
    package let list: NetworkConfigurationList
    /// The version of the specification in which its plugins are spoken to.
    package let version: CNIVersion
    /// The container.
    package let parameters: AttachmentParameters
    /// What the last plugin that has come to its end has said at ADD; `nil` if none has.
    package internal(set) var result: AttachmentResult?

    init(list: NetworkConfigurationList, version: CNIVersion, parameters: AttachmentParameters) {
        self.list = list
        self.version = version
        self.parameters = parameters
    }

    /// What tells an attachment from the others of its network.
    package var identity: AttachmentIdentity {
        AttachmentIdentity(container: parameters.container, interface: parameters.interface)
    }
}

/// A container and its interface: what tells an attachment from the others of its network.
package struct AttachmentIdentity: Hashable, Sendable {
    /// The container's id.
    package let container: String
    /// The interface's name inside.
    package let interface: String

    /// The attachment of a container that has this interface.
    package init(container: String, interface: String) {
        self.container = container
        self.interface = interface
    }
}
