import ContainerRuntime
import Flags
import LinuxKernel
import SystemPackage
import Text

/// Where this program's errors and warnings go. With `--log` they go to that file in the form that engines read, and
/// the bare text of an error also goes to standard error. Without it, everything goes to standard error.
struct ErrorLog {
    private let log: RuntimeLog

    /// The log that the library writes to.
    var runtimeLog: RuntimeLog { log }

    /// - Parameter flags: Those of the whole command line, or as many as could be read.
    init(_ flags: ParsedFlags) {
        let file = flags[RuntimeCommands.log]
        log = RuntimeLog(
            file: file.isEmpty ? nil : RuntimeCommands.absolute(file),
            isJSON: flags[RuntimeCommands.logFormat] == "json", isVerbose: flags[RuntimeCommands.debug])
    }

    /// Tells why the program ends.
    ///
    /// - Parameter isBare: Whether standard error gets the text alone even without a file.
    func report(_ text: String, isBare: Bool = false) {
        // Names and output of other programs may be part of it.
        let message = text.showingControls()
        let error = FileDescriptor.standardError
        guard let file = log.file else {
            if isBare { return error.tell(Self.oneLine(message) + "\n") }
            // For a person, not for a program.
            if error.isTerminal { return error.tell("\u{1b}[31mERRO\u{1b}[0m[0000] \(message)\n") }
            write(message)
            return
        }
        error.tell(Self.oneLine(message) + "\n")
        if let failure = write(message) { error.tell("open \(file): \(failure.words)\n") }
    }

    /// What hooks have said may have several lines; readers of errors take one line for one error.
    private static func oneLine(_ message: String) -> String {
        guard message.utf8.contains(UInt8(ascii: "\n")) else { return message }
        return message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
    }

    @discardableResult
    private func write(_ message: String) -> Errno? {
        do throws(Errno) { try log.write(.error, message) } catch { return error }
        return nil
    }

    /// Reports a problem that does not end the program.
    func warn(_ message: String) {
        log.warn(message.showingControls())
    }
}

extension FileDescriptor {
    /// Writes text to standard error. A failure is dropped: there is nobody left to tell.
    fileprivate func tell(_ text: String) {
        try? writeEntire(Array(text.utf8))
    }
}

extension RuntimeError {
    /// What went wrong with the process of a container, with the steps in front of it that callers of runc look for.
    ///
    /// - Parameter isAdded: to a container that runs (`exec`).
    func contextualized(isAdded: Bool = false) -> String {
        switch stage {
        case .request: message
        case .process: "unable to start container process: \(message)"
        case .initialization, .execution:
            "unable to start container process: " + (isAdded ? "" : "error during container init: ") + message
        }
    }
}
