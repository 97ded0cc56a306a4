import CSeccomp

/// The libseccomp this program is linked with.
package enum SeccompLibrary {
    /// Its version, such as `2.5.4`.
    package static var version: String {
        guard let version = seccomp_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.micro)"
    }
}
