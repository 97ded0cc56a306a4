import SystemPackage

/// Why an archive could not be read or applied. The text is meant for the sender of the archive.
package enum ArchiveError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stream ended in the middle.
    case truncated
    /// The stream is no archive, or breaks the format's rules.
    case malformed(String)
    /// The compressed data is damaged, or in a form that is not known.
    case compression(String)
    /// An entry asks for something outside of the directory it is unpacked to.
    case escapes(entry: String, String)
    /// What is there already must not be replaced by what the archive has; the text says by what.
    case refused(String)
    /// A system call failed: what was done, to which entry.
    case system(String, String, Errno)
    /// The caller has cancelled the work.
    case cancelled

    package var description: String {
        switch self {
        case .truncated: "unexpected end of the archive"
        case .malformed(let what): "invalid tar archive: \(what)"
        case .compression(let what): "invalid compressed data: \(what)"
        case .escapes(let entry, let what): "invalid tar archive: entry \"\(entry)\" \(what)"
        case .system(let operation, let entry, let errno):
            entry.isEmpty ? "\(operation): \(errno)" : "\(operation) \(entry): \(errno)"
        case .refused(let what): what
        case .cancelled: "cancelled"
        }
    }
}
