import Archive
import Glibc
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// Builds archives entry by entry, also ones that no writer would make.
struct TarFixture {
    var bytes: [UInt8] = []

    /// A header whose every field is given, with a right checksum.
    mutating func header(
        _ name: String, type: Character = "0", size: String = "0", mode: String = "644", owner: String = "0",
        link: String = "", modified: String = "0", magic: String = "ustar\u{0}00",
        device: (String, String) = ("0", "0"),
        patch: (inout [UInt8]) -> Void = { _ in }
    ) {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at position: Int) {
            block.replaceSubrange(position..<position + text.utf8.count, with: text.utf8)
        }
        put(name, at: 0)
        put(mode, at: 100)
        put(owner, at: 108)
        put(owner, at: 116)
        put(size, at: 124)
        put(modified, at: 136)
        put(String(type), at: 156)
        put(link, at: 157)
        put(magic, at: 257)
        put(device.0, at: 329)
        put(device.1, at: 337)
        patch(&block)
        put("        ", at: 148)
        let sum = block.reduce(0) { $0 + Int($1) }
        put(String(sum, radix: 8), at: 148)
        block[148 + String(sum, radix: 8).utf8.count] = 0
        bytes += block
    }

    /// Data, filled to whole blocks.
    mutating func data(_ data: [UInt8]) { bytes += data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512) }

    mutating func file(_ name: String, _ text: String, mode: String = "644") {
        header(name, size: String(text.utf8.count, radix: 8), mode: mode)
        data(Array(text.utf8))
    }

    mutating func directory(_ name: String, mode: String = "755") { header(name, type: "5", mode: mode) }
    mutating func symbolicLink(_ name: String, to target: String) { header(name, type: "2", link: target) }
    mutating func hardLink(_ name: String, to target: String) { header(name, type: "1", link: target) }

    /// A pax header for the entry to come.
    mutating func pax(_ records: [(String, [UInt8])]) {
        var data: [UInt8] = []
        for (key, value) in records {
            let body = [0x20] + Array(key.utf8) + [UInt8(ascii: "=")] + value + [0x0a]
            var length = body.count + 1
            while String(length).utf8.count + body.count != length { length = String(length).utf8.count + body.count }
            data += Array(String(length).utf8) + body
        }
        header("PaxHeaders/x", type: "x", size: String(data.count, radix: 8))
        self.data(data)
    }

    mutating func end() { bytes += [UInt8](repeating: 0, count: 1024) }

    static func build(_ body: (inout TarFixture) -> Void) -> [UInt8] {
        var fixture = TarFixture()
        body(&fixture)
        fixture.end()
        return fixture.bytes
    }
}

extension TemporaryDirectory {
    @discardableResult
    func apply(_ bytes: [UInt8], whiteouts: WhiteoutForm = .overlay, into name: String = "root") throws
        -> LayerApplier.Result
    {
        let root = path.appending(name)
        mkdir(root.string, 0o755)
        var applier = try LayerApplier(into: root, whiteouts: whiteouts)
        return try applier.apply(TarReader(MemorySource(bytes)))
    }
}
