import SystemPackage

/// A checkpoint's name: a letter or digit followed by letters, digits, `_`, `.` and `-`.
package struct CheckpointName: Hashable, Sendable {
    /// The name of its directory.
    package let text: String

    /// - Throws: `invalid` with Docker's words. One that ends in a dot is none.
    package init(_ text: String) throws(EngineError) {
        guard ContainerNames.isValid(text), text.utf8.last != UInt8(ascii: ".") else {
            throw .invalid("invalid checkpoint ID \"\(text)\", only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        self.text = text
    }
}

/// A checkpoint of a container as a client names it.
package struct CheckpointChoice: Hashable, Sendable {
    /// Its name.
    package let name: CheckpointName
    /// The directory that it is in, an absolute path; `nil` is the container's own.
    package let directory: FilePath?

    /// The checkpoint `name` in `directory`.
    package init(name: CheckpointName, directory: FilePath? = nil) {
        self.name = name
        self.directory = directory
    }

    /// The directory that a client's text names; `nil` for an empty text.
    ///
    /// - Throws: `invalid` for a relative path: the daemon's own working directory is nobody's business.
    package static func directory(_ text: String) throws(EngineError) -> FilePath? {
        if text.isEmpty { return nil }
        let path = FilePath(text)
        guard path.isAbsolute, !text.utf8.contains(0) else {
            throw .invalid("the checkpoint directory must be an absolute path: \(text)")
        }
        return path
    }
}
