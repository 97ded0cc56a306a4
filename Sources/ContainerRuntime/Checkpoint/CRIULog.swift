import LinuxKernel
import SystemPackage
import Text

/// The file that CRIU writes what it does to.
package struct CRIULog {
    /// Where it is on the host.
    package let file: FilePath

    /// The error with the log's place added, after the lines around errors in the log have been told to `warn`.
    func explain(_ error: RuntimeError, warn: (String) -> Void) -> RuntimeError {
        // Not there if CRIU has not come to writing one, or writes another.
        guard error.message.hasPrefix("criu failed"), let bytes = try? Files.read(file) else { return error }
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let quoted = Self.quotation(of: lines)
        if !quoted.isEmpty {
            warn("--- Quoting \"\(file)\"")
            quoted.forEach(warn)
            warn("---")
        }
        return RuntimeError(error.kind, "\(error.message)\nlog file: \(file)")
    }

    /// The lines with errors, each with those five before it that say what led there, by number.
    package static func quotation(of lines: [String]) -> [String] {
        var quoted: [String] = []
        var next = 0
        for (index, line) in lines.enumerated() where line.holds("Error") {
            let first = max(next, index - 5)
            if first > next, next > 0 { quoted.append("...") }
            quoted += (first...index).map { "\($0 + 1):\(lines[$0])" }
            next = index + 1
        }
        return quoted
    }
}
