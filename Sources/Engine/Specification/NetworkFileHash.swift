import Hashing

/// Remembers what was written to a file that a container may edit, so that nobody overwrites what it has written.
///
/// Docker keeps the same text beside the file (`resolv.conf.hash`).
package enum NetworkFileHash {
    /// What is to be kept beside a file with this content.
    package static func text(of content: String) -> String {
        ContentHasher.digest(of: Array(content.utf8)).description
    }

    /// Whether the file may be written: its content is what was written before, or nothing was.
    package static func mayReplace(_ content: String, hash: String?) -> Bool {
        hash.map { $0 == text(of: content) } ?? true
    }
}
