import Archive
import Glibc
import SystemPackage
import TemporaryDirectories
import Testing

struct CompressionTests {
    /// Compresses with the usual programs, so that the decompression is tested against something else than itself.
    private func compressed(_ bytes: [UInt8], _ command: String) throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        let (plain, packed) = (directory.path.appending("in").string, directory.path.appending("out").string)
        try directory.write("in", bytes)
        try #require(system("\(command) < \(plain) > \(packed)") == 0)
        let file = try #require(fopen(packed, "re"))
        defer { fclose(file) }
        var out = [UInt8](repeating: 0, count: bytes.count + (1 << 20))
        out.removeLast(out.count - fread(&out, 1, out.count, file))
        return out
    }

    private func read(_ source: any ByteSource) throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 70_001)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try source.read(into: $0) }
            if count == 0 { return all }
            all += buffer[..<count]
        }
    }

    private static let sample: [UInt8] = {
        var value: UInt32 = 1
        return (0..<700_000).map { index in
            value = value &* 1_664_525 &+ 1_013_904_223
            return index % 3 == 0 ? UInt8(truncatingIfNeeded: value >> 24) : UInt8(truncatingIfNeeded: index / 100)
        }
    }()

    @Test(
        "each compression is found out and undone, also of several streams in a row",
        arguments: [("gzip", Compression.gzip), ("xz -1", .xz), ("bzip2", .bzip2), ("cat", .none)])
    func roundTrip(command: String, kind: Compression) throws {
        let once = try compressed(Self.sample, command)
        let (source, found) = try Compression.decompressing(MemorySource(once))
        #expect(found == kind)
        #expect(try read(source) == Self.sample)
        guard kind != .none else { return }
        let twice = once + (try compressed(Self.sample, command)) + [UInt8](repeating: 0, count: 1024)
        #expect(try read(Compression.decompressing(MemorySource(twice)).source) == Self.sample + Self.sample)
    }

    @Test("a compressed stream that is cut off or damaged is refused", arguments: ["gzip", "xz -1", "bzip2"])
    func damaged(command: String) throws {
        let bytes = try compressed(Self.sample, command)
        for count in [7, 20, bytes.count / 2, bytes.count - 5, bytes.count - 1] {
            #expect(throws: ArchiveError.self) {
                try read(Compression.decompressing(MemorySource(Array(bytes.prefix(count)))).source)
            }
        }
        var flipped = bytes
        flipped[bytes.count / 2] ^= 0x10
        #expect(throws: ArchiveError.self) { try read(Compression.decompressing(MemorySource(flipped)).source) }
    }

    @Test("garbage after the end of a gzip stream is refused")
    func garbage() throws {
        let bytes = try compressed(Self.sample, "gzip") + Array("garbage".utf8)
        #expect(throws: ArchiveError.self) { try read(Compression.decompressing(MemorySource(bytes)).source) }
    }

    @Test("zstd frames, also after frames of user data")
    func zstd() throws {
        // A frame with one raw block of "hi" (RFC 8878), written by hand.
        let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x02, 0x11, 0x00, 0x00, 0x68, 0x69]
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 0x03, 0, 0, 0, 1, 2, 3]
        let (source, kind) = try Compression.decompressing(MemorySource(skippable + frame + frame))
        #expect(kind == .zstd)
        #expect(try read(source) == Array("hihi".utf8))
        #expect(throws: ArchiveError.truncated) {
            try read(Compression.decompressing(MemorySource(Array(frame.dropLast()))).source)
        }
    }
}
