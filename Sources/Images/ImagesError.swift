/// Why an image operation failed. The kind decides the HTTP status, the text is what Docker's clients expect.
package struct ImagesError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// The request, or the data it carries, is wrong.
        case invalid
        case notFound
        case conflict
        /// A registry wants credentials, or other ones.
        case unauthorized
        /// A registry does not allow it.
        case forbidden
        /// The machine could not do it: disk full, a system call failed.
        case system
    }

    package let kind: Kind
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }

    static func noSuchImage(_ name: String) -> ImagesError { ImagesError(.notFound, "No such image: \(name)") }
}
