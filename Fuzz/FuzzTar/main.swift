// Reads whatever comes as an archive in any compression, as a layer would be read.
import Archive
import CFuzzer
import Glibc

/// Gives bytes in pieces of sizes that change, as a network does.
private final class Pieces: ByteSource {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var size = 1

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, size, bytes.count - position)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
        position += count
        size = size % 4093 + 511
        return count
    }
}

/// What is read of one input at most: a few bytes can be inflated to gigabytes.
private let mostBytes = 1 << 22

private func readAll(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
    let (source, _) = try Compression.decompressing(Pieces(bytes))
    let archive = TarReader(source)
    var read = 0
    while let entry = try archive.next() {
        _ = entry.displayName
        while let chunk = try archive.nextChunk() {
            // Touches each byte, so that a chunk that is not there is found.
            for byte in chunk { read &+= Int(byte & 1) }
            read += chunk.count
            if read > mostBytes { return }
        }
        read += 512
        if read > mostBytes { return }
    }
    try archive.drain()
}

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
let status = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
    do throws(ArchiveError) {
        try readAll(UnsafeRawBufferPointer(start: data, count: size))
    } catch {
        // An error is the right answer to most inputs; its text has to be one, too.
        _ = "\(error)"
    }
    return 0
}
exit(status)
