import CLinux

extension Descriptors {
    /// Opens `/dev/null` for each of the descriptors 0, 1 and 2 that the caller has left closed.
    ///
    /// Every program does this first. Otherwise the first file or socket that it opens becomes descriptor 0, 1 or 2,
    /// and this program or one that it starts takes it for standard input or output.
    package static func secureStandardStreams() {
        masu_secure_standard_streams()
    }
}
