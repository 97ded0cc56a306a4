import Addresses
import DNS
import Glibc
import LinuxKernel
import SystemPackage
import Testing

@Suite("files of names")
struct NameTableTests {
    static let endpoints = [
        NamedEndpoint(
            names: ["Web", "www", "0123456789ab", "web"],
            addresses: [DNSMessageTests.address("172.18.0.2"), DNSMessageTests.address("fd00::2")]),
        NamedEndpoint(names: ["db.main", "store"], addresses: [DNSMessageTests.address("172.18.0.3")]),
        NamedEndpoint(names: ["db2", "store"], addresses: [DNSMessageTests.address("172.18.0.4")]),
        NamedEndpoint(names: [], addresses: [DNSMessageTests.address("172.18.0.5")]),
    ]

    /// A table of bytes that nobody frees.
    static func table(_ image: [UInt8]) throws -> NameTable {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: image.count, alignment: 1)
        bytes.copyBytes(from: image)
        do {
            return try NameTable(UnsafeRawBufferPointer(bytes)) { $0.deallocate() }
        } catch {
            bytes.deallocate()
            throw error
        }
    }

    private func texts(_ table: NameTable, _ name: String, _ family: IPAddress.Family = .ipv4) -> [String]? {
        table.addresses(of: DNSMessageTests.name(name), family)?.map(\.description)
    }

    @Test("a name gives its addresses of one family")
    func names() throws {
        let table = try Self.table(NameTableWriter.image(of: Self.endpoints, generation: 7))
        #expect(table.generation == 7)
        for name in ["web", "www", "0123456789ab"] {
            #expect(texts(table, name) == ["172.18.0.2"])
            #expect(texts(table, name, .ipv6) == ["fd00::2"])
        }
        #expect(texts(table, "db.main") == ["172.18.0.3"])
        #expect(texts(table, "db2", .ipv6) == [])
        #expect(texts(table, "nobody") == nil)
        #expect(texts(table, "main") == nil)
    }

    @Test("a name that several have gives the addresses of all")
    func sharedAlias() throws {
        let table = try Self.table(NameTableWriter.image(of: Self.endpoints, generation: 1))
        #expect(texts(table, "store") == ["172.18.0.3", "172.18.0.4"])
    }

    @Test("an address gives the first name, as it was written")
    func reverse() throws {
        let table = try Self.table(NameTableWriter.image(of: Self.endpoints, generation: 1))
        let names = ["172.18.0.2", "fd00::2", "172.18.0.3", "172.18.0.5", "172.18.0.9"].map {
            table.name(of: DNSMessageTests.address($0))?.description
        }
        #expect(names == ["Web.", "Web.", "db.main.", nil, nil])
    }

    @Test("a network without endpoints has no names")
    func empty() throws {
        let table = try Self.table(NameTableWriter.image(of: [], generation: 1))
        #expect(texts(table, "web") == nil)
        #expect(table.name(of: DNSMessageTests.address("172.18.0.2")) == nil)
    }

    @Test("names that nobody can ask for are left out")
    func longNames() throws {
        let long = String(repeating: "x", count: 64)
        let endpoint = NamedEndpoint(names: [long, "short"], addresses: [DNSMessageTests.address("10.0.0.1")])
        let table = try Self.table(NameTableWriter.image(of: [endpoint], generation: 1))
        #expect(texts(table, "short") == ["10.0.0.1"])
        #expect(table.name(of: DNSMessageTests.address("10.0.0.1"))?.description == "short.")
    }

    @Test("all names of a thousand endpoints are found")
    func thousand() throws {
        let endpoints = (0..<1000).map {
            NamedEndpoint(
                names: ["c\($0)", "alias\($0)", "all"], addresses: [IPAddress(.ipv4, 0x0A00_0000 + UInt128($0))])
        }
        let table = try Self.table(NameTableWriter.image(of: endpoints, generation: 1))
        for (index, endpoint) in endpoints.enumerated() {
            #expect(texts(table, "c\(index)") == endpoint.addresses.map(\.description))
            #expect(texts(table, "alias\(index)") == endpoint.addresses.map(\.description))
            #expect(table.name(of: endpoint.addresses[0])?.description == "c\(index).")
        }
        #expect(texts(table, "all")?.count == 1000)
    }

    @Test("a cut file is no table")
    func cut() {
        let image = NameTableWriter.image(of: Self.endpoints, generation: 1)
        for length in 0..<image.count {
            #expect(throws: Errno.badMessage) { _ = try Self.table(Array(image.prefix(length))) }
        }
    }

    @Test("a broken file gives no or other names, and never ends the process")
    func broken() throws {
        var generator = SystemRandomNumberGenerator()
        let image = NameTableWriter.image(of: Self.endpoints, generation: 1)
        let names = ["web", "store", "db.main", "nobody"].map { DNSMessageTests.name($0) }
        for _ in 0..<5_000 {
            var bytes = image
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                bytes[.random(in: 32..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let table = try Self.table(bytes)
            for name in names {
                _ = table.addresses(of: name, .ipv4)
                _ = table.addresses(of: name, .ipv6)
            }
            for endpoint in Self.endpoints { for address in endpoint.addresses { _ = table.name(of: address)?.labels } }
        }
    }

    // MARK: Files

    private func withDirectory(_ body: (FilePath) throws -> Void) throws {
        let path = FilePath("/tmp/masu-names-\(getpid())-\(UInt32.random(in: 0...(.max)))")
        try Files.makeDirectory(path)
        defer { try? TreeRemoval.remove(path) }
        try body(path)
    }

    @Test("a file that is replaced is noticed, and each has a higher generation")
    func replacement() throws {
        try withDirectory { directory in
            let path = directory.appending("names")
            let file = NameFile(path)
            #expect(file.current() == nil)
            #expect(try NameTableWriter.write(Self.endpoints, to: path) == 1)
            let first = try #require(file.current())
            #expect(file.current() === first)
            #expect(try NameTableWriter.write([], to: path) == 2)
            #expect(texts(first, "web") == ["172.18.0.2"])
            let second = try #require(file.current())
            #expect(second.generation == 2)
            #expect(texts(second, "web") == nil)
        }
    }

    @Test("a file that is no table gives no names until it is replaced")
    func noTable() throws {
        try withDirectory { directory in
            let path = directory.appending("names")
            let file = NameFile(path)
            for bytes in [[], [UInt8](repeating: 0x41, count: 4096)] {
                try Files.replace(path, with: bytes)
                #expect(file.current() == nil)
            }
            try NameTableWriter.write(Self.endpoints, to: path)
            #expect(file.current()?.generation == 1)
            try Files.replace(path, with: [1])
            #expect(file.current() == nil)
        }
    }

    @Test("the names of a file that is removed stay known")
    func removed() throws {
        try withDirectory { directory in
            let path = directory.appending("names")
            try NameTableWriter.write(Self.endpoints, to: path)
            let file = NameFile(path)
            let table = try #require(file.current())
            try Files.remove(path)
            #expect(file.current() === table)
            #expect(texts(table, "web") == ["172.18.0.2"])
        }
    }
}
