import Archive
import Testing

struct TarReaderTests {
    private func entries(_ bytes: [UInt8]) throws -> [(TarEntry, [UInt8])] {
        let reader = TarReader(MemorySource(bytes))
        var all: [(TarEntry, [UInt8])] = []
        while let entry = try reader.next() {
            var data: [UInt8] = []
            while let chunk = try reader.nextChunk() { data += chunk }
            all.append((entry, data))
        }
        return all
    }

    @Test("a ustar header's fields are read, name and prefix joined")
    func ustar() throws {
        let bytes = TarFixture.build {
            $0.header("name", size: "5", mode: "0004755", owner: "1750", modified: "14726262700") { block in
                block.replaceSubrange(345..<351, with: "prefix".utf8)
            }
            $0.data(Array("hello".utf8))
        }
        let (entry, data) = try #require(try entries(bytes).first)
        #expect(entry.displayName == "prefix/name")
        #expect(entry.mode == 0o4755)
        #expect(entry.owner == 1000)
        #expect(entry.modified.seconds == 0o14726262700)
        #expect(data == Array("hello".utf8))
    }

    @Test("pax records override the header: path, link, size, owner, time, attributes")
    func pax() throws {
        let bytes = TarFixture.build {
            $0.pax([
                ("path", Array("ü/long".utf8)), ("size", Array("3".utf8)), ("uid", Array("3000000".utf8)),
                ("mtime", Array("-1.25".utf8)), ("SCHILY.xattr.user.x", [0, 0xff, 0x0a]), ("comment", Array("=".utf8)),
            ])
            $0.header("short", size: "777")
            $0.data(Array("abc".utf8))
            $0.file("next", "x")
        }
        let all = try entries(bytes)
        let entry = all[0].0
        #expect(entry.displayName == "ü/long")
        #expect(all[0].1 == Array("abc".utf8))
        #expect(entry.owner == 3_000_000)
        #expect(entry.modified == (-2, 750_000_000))
        #expect(entry.extendedAttributes == [.init(name: Array("user.x".utf8), value: [0, 0xff, 0x0a])])
        #expect(all[1].0.displayName == "next" && all[1].0.extendedAttributes.isEmpty)
    }

    @Test("GNU long names and links, and numbers in base 256")
    func gnu() throws {
        let long = String(repeating: "d/", count: 300) + "f"
        let bytes = TarFixture.build {
            $0.header("././@LongLink", type: "L", size: String(long.utf8.count + 1, radix: 8), magic: "ustar  \u{0}")
            $0.data(Array(long.utf8) + [0])
            $0.header("././@LongLink", type: "K", size: String(long.utf8.count + 1, radix: 8), magic: "ustar  \u{0}")
            $0.data(Array(long.utf8) + [0])
            $0.header("d/d/d", type: "2", link: "d/d", magic: "ustar  \u{0}") { block in
                block.replaceSubrange(108..<116, with: [0x80, 0, 0, 0, 0, 0x2d, 0xc6, 0xc0])
                block.replaceSubrange(136..<148, with: [UInt8](repeating: 0xff, count: 12))
            }
        }
        let entry = try #require(try entries(bytes).first).0
        #expect(entry.name == Array(long.utf8))
        #expect(String(decoding: entry.linkName, as: UTF8.self) == long)
        #expect(entry.owner == 3_000_000)
        #expect(entry.modified.seconds == -1)
    }

    @Test("a file whose name ends with a slash is a directory, and its data is skipped", arguments: ["0", "\0"])
    func slash(type: String) throws {
        let bytes = TarFixture.build {
            $0.header("d/", type: Character(type), size: "1001")
            // What would pass for a header.
            $0.data(Array(TarFixture.build { $0.header("hidden") }.prefix(513)))
            $0.file("f", "x")
        }
        let found = try entries(bytes)
        #expect(found.map(\.0.kind) == [.directory, .file])
        #expect(found.map(\.0.displayName) == ["d/", "f"] && found.map(\.1) == [[], [UInt8(ascii: "x")]])
    }

    @Test("the old V7 form: a name that ends with a slash is a directory")
    func v7() throws {
        let bytes = TarFixture.build {
            $0.header("dir/", type: "\u{0}", magic: "")
            $0.header("dir/file", type: "\u{0}", size: "1", magic: "")
            $0.data([0x61])
        }
        let all = try entries(bytes)
        #expect(all.map(\.0.kind) == [.directory, .file])
    }

    @Test("the sparse forms of GNU: in the header, and pax 0.0, 0.1 and 1.0")
    func sparse() throws {
        let extents = [SparseExtent(offset: 512, length: 3), SparseExtent(offset: 4096, length: 2)]
        let data = Array("abcde".utf8)
        let old = TarFixture.build {
            $0.header("s", type: "S", size: "5", magic: "ustar  \u{0}") { block in
                for (index, extent) in extents.enumerated() {
                    let (offset, length) = (String(extent.offset, radix: 8), String(extent.length, radix: 8))
                    block.replaceSubrange(
                        (386 + index * 24)..<(386 + index * 24 + offset.utf8.count), with: offset.utf8)
                    block.replaceSubrange(
                        (398 + index * 24)..<(398 + index * 24 + length.utf8.count), with: length.utf8)
                }
                block.replaceSubrange(483..<488, with: "20000".utf8)
            }
            $0.data(data)
        }
        let zero = TarFixture.build {
            $0.pax([
                ("GNU.sparse.size", Array("8192".utf8)), ("GNU.sparse.numblocks", Array("2".utf8)),
                ("GNU.sparse.offset", Array("512".utf8)), ("GNU.sparse.numbytes", Array("3".utf8)),
                ("GNU.sparse.offset", Array("4096".utf8)), ("GNU.sparse.numbytes", Array("2".utf8)),
            ])
            $0.header("s", size: "5")
            $0.data(data)
        }
        let one = TarFixture.build {
            $0.pax([
                ("GNU.sparse.size", Array("8192".utf8)), ("GNU.sparse.map", Array("512,3,4096,2".utf8)),
                ("GNU.sparse.name", Array("s".utf8)),
            ])
            $0.header("GNUSparseFile.1/s", size: "5")
            $0.data(data)
        }
        let ten = TarFixture.build {
            $0.pax([
                ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)),
                ("GNU.sparse.name", Array("s".utf8)), ("GNU.sparse.realsize", Array("8192".utf8)),
            ])
            $0.header("GNUSparseFile.1/s", size: String(512 + 5, radix: 8))
            $0.data(Array("2\n512\n3\n4096\n2\n".utf8))
            $0.data(data)
        }
        for bytes in [old, zero, one, ten] {
            let (entry, found) = try #require(try entries(bytes).first)
            #expect(entry.displayName == "s")
            #expect(entry.size == 8192)
            #expect(entry.extents == extents)
            #expect(found == data)
        }
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let expected: String
    }

    @Test(
        "what breaks the format is refused, saying why",
        arguments: [
            Bad(
                testDescription: "text", bytes: Array(String(repeating: "hello ", count: 200).utf8),
                expected: "does not begin with a tar header"),
            Bad(testDescription: "half a header", bytes: [UInt8](repeating: 1, count: 100), expected: "unexpected end"),
            Bad(
                testDescription: "data cut off", bytes: Array(TarFixture.build { $0.file("a", "hello") }.prefix(514)),
                expected: "unexpected end"),
            Bad(
                testDescription: "a checksum that does not fit",
                bytes: TarFixture.build {
                    $0.file("a", "x"); $0.bytes[0] ^= 1
                }, expected: "tar header"),
            Bad(
                testDescription: "a negative size",
                bytes: TarFixture.build {
                    $0.header("a") { $0.replaceSubrange(124..<136, with: [UInt8](repeating: 0xff, count: 12)) }
                }, expected: "impossible size"),
            Bad(
                testDescription: "a size beyond 64 bits",
                bytes: TarFixture.build {
                    $0.header("a") { $0.replaceSubrange(124..<136, with: [0x80] + [UInt8](repeating: 0x7f, count: 11)) }
                }, expected: "out of range"),
            Bad(
                testDescription: "a negative pax size",
                bytes: TarFixture.build {
                    $0.pax([("size", Array("-5".utf8))]); $0.header("a")
                }, expected: "negative"),
            Bad(
                testDescription: "letters for digits", bytes: TarFixture.build { $0.header("a", size: "12x") },
                expected: "not a number"),
            Bad(
                testDescription: "a NUL in a pax path",
                bytes: TarFixture.build {
                    $0.pax([("path", [0x61, 0, 0x62])]); $0.header("a")
                }, expected: "NUL"),
            Bad(
                testDescription: "a pax record longer than its header",
                bytes: TarFixture.build {
                    $0.header("p", type: "x", size: "7"); $0.data(Array("99 a=b\n".utf8)); $0.header("a")
                }, expected: "pax record"),
            Bad(
                testDescription: "a pax header without an entry",
                bytes: TarFixture.build { $0.pax([("path", [0x61])]) }, expected: "unexpected end"),
            Bad(
                testDescription: "an extended header of 2 MiB",
                bytes: TarFixture.build { $0.header("p", type: "x", size: "10000000") }, expected: "too long"),
            Bad(
                testDescription: "an unknown type", bytes: TarFixture.build { $0.header("a", type: "Z") },
                expected: "unknown type"),
            Bad(
                testDescription: "an owner that means unchanged",
                bytes: TarFixture.build {
                    $0.pax([("uid", Array("4294967295".utf8))]); $0.header("a")
                }, expected: "impossible owner"),
            Bad(
                testDescription: "a sparse map beyond the file",
                bytes: TarFixture.build {
                    $0.pax([("GNU.sparse.size", Array("10".utf8)), ("GNU.sparse.map", Array("8,5".utf8))]);
                    $0.header("a", size: "5"); $0.data([1, 2, 3, 4, 5])
                }, expected: "sparse map"),
            Bad(
                testDescription: "a sparse map that goes back",
                bytes: TarFixture.build {
                    $0.pax([("GNU.sparse.size", Array("100".utf8)), ("GNU.sparse.map", Array("50,2,10,3".utf8))]);
                    $0.header("a", size: "5"); $0.data([1, 2, 3, 4, 5])
                }, expected: "sparse map"),
            Bad(
                testDescription: "a sparse map of more than is stored",
                bytes: TarFixture.build {
                    $0.pax([("GNU.sparse.size", Array("100".utf8)), ("GNU.sparse.map", Array("0,50".utf8))]);
                    $0.header("a", size: "5"); $0.data([1, 2, 3, 4, 5])
                }, expected: "sparse map"),
        ])
    func refused(example: Bad) throws {
        let error = try #require(throws: ArchiveError.self) { _ = try entries(example.bytes) }
        #expect(error.description.contains(example.expected), "\(error)")
    }

    @Test("an archive may end where a header could begin, and within the padding of its last entry")
    func ends() throws {
        let bytes = TarFixture.build { $0.file("a", "x") }
        for (length, count) in [(0, 0), (513, 1), (700, 1), (1024, 1), (1536, 1), (2048, 1)] {
            #expect(try entries(Array(bytes.prefix(length))).count == count, "\(length) bytes")
        }
        for length in [1, 511, 512, 1025, 1535] {
            #expect(throws: ArchiveError.truncated, "\(length) bytes") {
                try entries(Array(bytes.prefix(length)))
            }
        }
        // Data that a directory has by mistake is data.
        let directory = TarFixture.build {
            $0.header("d/", size: "10")
            $0.data(Array("12345678".utf8))
        }
        #expect(throws: ArchiveError.truncated) { try entries(Array(directory.prefix(515))) }
        #expect(try entries(Array(directory.prefix(530))).count == 1)
        let pax = TarFixture.build { $0.pax([("path", Array("a/b".utf8))]) }
        #expect(throws: ArchiveError.truncated) { try entries(Array(pax.prefix(1024))) }
    }

    @Test("any archive cut off anywhere is refused or read up to there, never a crash")
    func cutAnywhere() throws {
        let bytes = TarFixture.build {
            $0.pax([("path", Array("a/b".utf8)), ("SCHILY.xattr.user.x", [1])])
            $0.file("x", "hello")
            $0.symbolicLink("l", to: "x")
        }
        for count in stride(from: 0, to: bytes.count, by: 37) {
            _ = try? entries(Array(bytes.prefix(count)))
        }
        // Every bit of the headers flipped, too.
        for index in stride(from: 0, to: bytes.count, by: 3) {
            var damaged = bytes
            damaged[index] ^= 0x55
            _ = try? entries(damaged)
        }
    }

    @Test("what the writer writes the reader reads, and GNU tar as well")
    func roundTrip() throws {
        var expected: [TarEntry] = []
        var file = TarEntry(kind: .file, name: Array(String(repeating: "x/", count: 130).utf8) + [0x79], mode: 0o4711)
        file.size = 700
        file.owner = 4_000_000
        file.modified = (1_700_000_000, 123_456_789)
        file.extendedAttributes = [.init(name: Array("user.a".utf8), value: [0, 1, 2])]
        expected.append(file)
        var link = TarEntry(kind: .symbolicLink, name: Array("ä".utf8), mode: 0o777)
        link.linkName = Array("/etc/ö".utf8)
        link.modified = (-5, 500_000_000)
        expected.append(link)
        expected.append(TarEntry(kind: .characterDevice(major: 5, minor: 1), name: Array("tty".utf8), mode: 0o600))
        expected.append(TarEntry(kind: .directory, name: Array("dir/".utf8), mode: 0o1777))
        nonisolated(unsafe) var bytes: [UInt8] = []
        var writer = TarWriter { bytes += $0 }
        for entry in expected {
            try writer.add(entry)
            if entry.kind == .file { try writer.write([UInt8](repeating: 7, count: 700)) }
        }
        try writer.finish()
        let found = try entries(bytes)
        #expect(found.map(\.0) == expected)
        #expect(found[0].1 == [UInt8](repeating: 7, count: 700))
    }
}
