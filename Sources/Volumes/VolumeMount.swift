import SystemPackage

/// What a container has mounted where it has a volume.
///
/// Nothing of this is mounted when it is handed out: the container's first process mounts it in the container's own
/// mount namespace, so that nothing of ours is in the host's mount table and nothing can stay there.
package enum VolumeMount: Hashable, Sendable, Codable {
    /// This directory of the host, which is there, is to be bound into the container.
    case directory(FilePath)
    /// This file system is to be mounted, or this directory bound with these options.
    case fileSystem(FileSystemMount)
}

/// A mount as the runtime specification describes it (`config.md`, "Mounts"), without its destination.
package struct FileSystemMount: Hashable, Sendable, Codable {
    /// As mount(2) has it, or `bind`.
    package let type: String
    /// A device, a server's export, a directory, or a word that means nothing.
    package let source: String
    /// Flags by their names in mount(8), and what only the file system understands; `bind` or `rbind` among them for a
    /// directory. Addresses of servers are numbers. May contain a password: see `hidingSecrets`.
    package let options: [String]

    /// A mount.
    package init(type: String, source: String, options: [String]) {
        self.type = type
        self.source = source
        self.options = options
    }

    /// Whether a directory of the host is bound, which `source` names.
    package var isBind: Bool { options.contains("bind") || options.contains("rbind") }

    /// A text, such as an error's, without the password that may be among the options: Docker's asterisks are in its
    /// place.
    package func hidingSecrets(in text: String) -> String {
        MountSecrets.masked(text, options: options)
    }
}
