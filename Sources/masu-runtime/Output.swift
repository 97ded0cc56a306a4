import ContainerRuntime
import LinuxKernel
import SystemPackage
import Text

/// Standard output. A write that fails is an error of the command, as any other.
enum Output {
    /// Writes a text. A terminal gets its control characters written out: names and command lines may come from a
    /// container.
    static func write(_ text: String) throws(RuntimeError) {
        let output = FileDescriptor.standardOutput
        do throws(Errno) {
            try output.writeEntire(Array((output.isTerminal ? text.showingControls() : text).utf8))
        } catch {
            throw RuntimeError(.system, "write /dev/stdout: \(error.words)")
        }
    }

    /// Writes a line.
    static func print(_ line: some StringProtocol) throws(RuntimeError) {
        try write(line + "\n")
    }

    /// Writes a JSON document and a line feed.
    static func print(_ document: [UInt8]) throws(RuntimeError) {
        try print(String(decoding: document, as: UTF8.self))
    }
}
