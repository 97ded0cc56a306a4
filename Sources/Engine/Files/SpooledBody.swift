import Archive
import Glibc
import LinuxKernel
import SystemPackage

/// What a client sends, brought to disk before anything waits for it: a client may be slow, or stop.
enum SpooledBody {
    /// Reads `stream` to its end into a file without a name in `directory`. The result is at its beginning, and the
    /// caller's.
    static func read(
        _ stream: FileDescriptor, in directory: FilePath, isCancelled: @escaping @Sendable () -> Bool
    ) throws -> FileDescriptor {
        let file = try Files.open(directory, [.readWrite, .temporaryFile], mode: 0o600)
        do {
            let source = DescriptorSource(stream, isCancelled: isCancelled)
            let sink = DescriptorSink(file, isCancelled: isCancelled)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
            defer { buffer.deallocate() }
            while true {
                let count = try source.read(into: buffer)
                guard count > 0 else { break }
                try sink.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            try sink.flush()
            try file.seek(offset: 0, from: .start)
            return file
        } catch {
            file.discard()
            throw error
        }
    }
}
