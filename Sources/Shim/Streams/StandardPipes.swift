import ContainerRuntime
import LinuxKernel
import SystemPackage

/// The pipes between a shim and a process without a terminal.
///
/// Whatever has not been taken is closed with the object.
final class StandardPipes {
    private var mine: [FileDescriptor?] = [nil, nil, nil]
    private var theirs: [FileDescriptor?] = [nil, nil, nil]

    /// - Parameters:
    ///   - hasInput: Whether there is a pipe for standard input; else it is `/dev/null`.
    ///   - hasOutput: Whether there are pipes for output and errors; else both are `/dev/null`.
    /// - withoutDevices: Whether pipes replace `/dev/null`, too: gVisor gives its streams to another user, and that
    ///     user would own the host's device.
    init(hasInput: Bool, hasOutput: Bool, withoutDevices: Bool) throws(Errno) {
        let hasOutput = hasOutput || withoutDevices
        if hasInput || withoutDevices {
            let ends = try FileDescriptor.makePipe()
            (theirs[0], mine[0]) = (ends.reading, ends.writing)
            if !hasInput { takeInput()?.discard() }
        } else {
            theirs[0] = try Files.open("/dev/null", .readOnly)
        }
        for stream in 1...2 {
            if hasOutput {
                let ends = try FileDescriptor.makePipe()
                (mine[stream], theirs[stream]) = (ends.reading, ends.writing)
            } else {
                theirs[stream] = try Files.open("/dev/null", .writeOnly)
            }
        }
        for descriptor in mine { try descriptor?.setNonBlocking(true) }
    }

    deinit {
        for descriptor in mine { descriptor?.discard() }
        closeTheirs()
    }

    /// What the process gets.
    var streams: StandardStreams {
        StandardStreams(input: theirs[0], output: theirs[1], error: theirs[2])
    }

    /// What a program gets that passes its own streams on to the process.
    var forRuntime: RuntimeCall.Streams { (input: theirs[0], output: theirs[1], error: theirs[2]) }

    /// What is waiting in standard error; for a process that has not come about.
    func readErrors() -> [UInt8] {
        guard let descriptor = mine[2] else { return [] }
        return withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { buffer in
            guard case .bytes(let count) = Transfer.read(descriptor, into: buffer) else { return [] }
            return Array(buffer[..<count])
        }
    }

    /// Closes the process's sides once it has them, so that the shim sees when it closes them.
    func closeTheirs() {
        for index in theirs.indices {
            theirs[index]?.discard()
            theirs[index] = nil
        }
    }

    /// The side that writes to the process.
    func takeInput() -> FileDescriptor? { take(0) }
    /// The side that reads its standard output.
    func takeOutput() -> FileDescriptor? { take(1) }
    /// The side that reads its standard error.
    func takeError() -> FileDescriptor? { take(2) }

    private func take(_ index: Int) -> FileDescriptor? {
        defer { mine[index] = nil }
        return mine[index]
    }
}
