/// Why a system call filter could not be compiled.
package struct SeccompError: Error, Hashable, Sendable {
    /// What in the profile is wrong, or what libseccomp said.
    package var message: String

    init(_ message: String) {
        self.message = message
    }
}

extension SeccompError: CustomStringConvertible {
    package var description: String { message }
}
