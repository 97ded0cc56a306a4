import OCISpec
import ShimProtocol

/// Where the lines of a container's output are kept: what a log driver is.
///
/// To add a driver, follow the four steps in the comment of `Engine/Configuration/LogDriver.swift`. The third is a
/// class that conforms to this protocol, in a file beside this one, and a line in `LogConfiguration.Driver.sink` below.
///
/// `ContainerLog` has already parted the output into lines and calls from the
/// shim's only thread. No call may wait for anybody: the container's output waits as long. Nothing that goes wrong may
/// end the container: what cannot be written is dropped in whole lines, and counted.
package protocol LogSink: AnyObject {
    /// Opens the log, or makes it. What is there already stays.
    ///
    /// - Throws: `invalid` for a configuration that cannot be followed, `system` for what the kernel refuses; the
    ///   container is not created then.
    init(_ configuration: LogConfiguration) throws(ShimError)

    /// How many lines could not be written.
    var droppedLines: UInt64 { get }

    /// Whether another line makes `rotate` necessary; asked before each.
    var isFull: Bool { get }

    /// Sets aside what there is, and begins anew.
    func rotate()

    /// Writes a line without its newline, or with `endsLine` false a part of one that is too long (see
    /// `ContainerLog.longestPart`), or whose end never came. All parts of a line have the time of its first. It may
    /// wait in memory until `flush`.
    func write(_ text: UnsafeRawBufferPointer, endsLine: Bool, of stream: OutputStream, at time: Timestamp)

    /// All that has come at once has been written.
    func flush()

    /// Gives memory back that is only needed when there is much output.
    func release()

    /// Closes the log: the container has ended. Nothing is written after this.
    func close()

    /// Removes what has been made in vain: the container was not created.
    func discard()
}

extension LogConfiguration.Driver {
    /// The table of drivers: a line for each; `nil` keeps nothing.
    var sink: (any LogSink.Type)? {
        switch self {
        case .none: nil
        case .jsonFile: JSONFileLog.self
        }
    }
}
