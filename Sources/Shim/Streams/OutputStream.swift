/// The two streams a process writes to. With a terminal there is only standard output.
package enum OutputStream: UInt8, CaseIterable {
    case standardOutput = 1
    case standardError = 2

    /// The place in an array of both.
    var index: Int { Int(rawValue) - 1 }

    /// As logs call it.
    var name: String { self == .standardOutput ? "stdout" : "stderr" }
}
