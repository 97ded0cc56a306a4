import SystemPackage

/// What a program prints because it was asked to. If it does not get out, the program has failed.
package enum StandardOutput {
    /// Why it did not get out, in the words that Docker's programs have for it.
    package struct Failure: Error, CustomStringConvertible {
        /// The kernel's reason.
        package let errno: Errno

        package var description: String { "write /dev/stdout: \(errno.words)" }
    }

    /// Writes `text` and a newline, whole.
    package static func print(_ text: String) throws(Failure) {
        do throws(Errno) {
            try FileDescriptor.standardOutput.writeEntire(Array((text + "\n").utf8))
        } catch {
            throw Failure(errno: error)
        }
    }
}
