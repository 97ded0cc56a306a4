import SystemPackage

/// Why a conversation over D-Bus did not work.
package struct DBusError: Error, Hashable, Sendable {
    /// The name of the error in the other side's answer (`org.freedesktop.systemd1.NoSuchUnit`); `nil` for an error
    /// that this side found.
    package var name: String?
    /// What went wrong; for an error of the other side, its words.
    package var message: String
    /// The kernel's error, if there was one.
    package var errno: Errno?

    /// An error found on this side.
    package init(_ message: String, _ errno: Errno? = nil) {
        self.message = errno.map { "\(message): \($0)" } ?? message
        self.errno = errno
    }

    /// An error that the other side answered with.
    package init(name: String, message: String) {
        self.name = name
        self.message = message.isEmpty ? name : message
    }
}

extension DBusError: CustomStringConvertible {
    package var description: String { message }
}
