import LinuxKernel
import SystemPackage

/// A request that the kernel refused, or an answer of it that cannot be understood (`EBADMSG`).
package struct NetlinkError: Error, Hashable, Sendable {
    /// What went wrong.
    package var errno: Errno
    /// What was asked for, as `Request.description` says it.
    package var request: String
    /// Which request of the batch it was, from 0; `nil` if it was not one in particular.
    package var index: Int?
    /// The kernel's own words, where it has any.
    package var text: String?
    /// At which byte of the request the kernel found the fault, where it says so.
    package var offset: Int?

    /// An error of a request that is described like this.
    package init(_ errno: Errno, _ request: String, index: Int? = nil, text: String? = nil, offset: Int? = nil) {
        self.errno = errno
        self.request = request
        self.index = index
        self.text = text
        self.offset = offset
    }
}

extension NetlinkError: CustomStringConvertible {
    /// "cannot create the bridge br-1: file exists (Name already in use)".
    package var description: String { "cannot \(request): \(reason)" }

    /// Why, without what was asked for: "file exists (Name already in use)".
    package var reason: String { errno.words + (text.map { " (\($0))" } ?? "") }
}
