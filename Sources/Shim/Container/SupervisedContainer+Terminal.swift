import LinuxKernel
import ShimProtocol
import SystemPackage

extension SupervisedContainer {
    /// Sets the size of the container's terminal, or of an exec's. (The first size of either comes with its process:
    /// `consoleSize`.)
    func resize(_ execID: String?, columns: UInt16, rows: UInt16) throws(ShimError) {
        let streams = try openStreams(of: execID)
        guard streams.isTerminal else { throw ShimError(.conflict, "the process has no terminal") }
        guard let terminal = streams.terminal else {
            throw ShimError(.conflict, "cannot resize the terminal: the process has not begun")
        }
        do throws(Errno) {
            try terminal.resize(columns: columns, rows: rows)
        } catch {
            throw ShimError(.conflict, "cannot resize the terminal: \(error)")
        }
    }
}
