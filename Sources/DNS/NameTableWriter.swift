import Addresses
import LinuxKernel
import SystemPackage

/// Who is on a network, under which names.
package struct NamedEndpoint: Hashable, Sendable {
    /// Names, aliases and the short id, in the order of preference: the first one is told to those who ask for the name
    /// of an address. Names that cannot be asked for (a label of more than 63 bytes) are left out.
    package var names: [String]
    /// Its addresses on this network.
    package var addresses: [IPAddress]

    /// An endpoint.
    package init(names: [String], addresses: [IPAddress]) {
        self.names = names
        self.addresses = addresses
    }
}

/// Writes the names of a network for those who map them (`NameTable`).
package enum NameTableWriter {
    /// Replaces the file at `path`. Readers see either the old names or all new ones.
    ///
    /// There may be only one writer of a file at a time.
    ///
    /// - Returns: The new file's generation, one more than that of the file it replaces.
    @discardableResult
    package static func write(_ endpoints: [NamedEndpoint], to path: FilePath) throws(Errno) -> UInt64 {
        // A file that is missing, or is no table, has no generation to count on from.
        let generation = ((try? NameTable(mapping: path))?.generation ?? 0) &+ 1
        try Files.replace(path, with: image(of: endpoints, generation: generation), mode: 0o644)
        return generation
    }

    /// The content of the file.
    package static func image(of endpoints: [NamedEndpoint], generation: UInt64) -> [UInt8] {
        var collection = NameCollection()
        for endpoint in endpoints { collection.add(endpoint) }
        return collection.image(generation)
    }
}

/// The names of a network by key.
private struct NameCollection {
    private struct Name {
        var key: [UInt8]
        var v4: [IPAddress] = []
        var v6: [IPAddress] = []

        /// Two endpoints with the same address, or a name that is an alias as well, count once.
        mutating func add(_ address: IPAddress) {
            switch address.family {
            case .ipv4: if !v4.contains(address) { v4.append(address) }
            case .ipv6: if !v6.contains(address) { v6.append(address) }
            }
        }
    }

    private var names: [Name] = []
    private var places: [[UInt8]: Int] = [:]
    private var reverse: [(address: IPAddress, name: DomainName)] = []
    private var known: Set<IPAddress> = []

    mutating func add(_ endpoint: NamedEndpoint) {
        let names = endpoint.names.compactMap { DomainName($0) }
        for name in names {
            let key = name.lowercased.wireFormat
            let place = places[key] ?? self.names.count
            if place == self.names.count {
                places[key] = place
                self.names.append(Name(key: key))
            }
            for address in endpoint.addresses { self.names[place].add(address) }
        }
        guard let name = names.first else { return }
        for address in endpoint.addresses where known.insert(address).inserted { reverse.append((address, name)) }
    }

    func image(_ generation: UInt64) -> [UInt8] {
        let nameSlots = Self.slotCount(names.count)
        let addressSlots = Self.slotCount(reverse.count)
        let addressStart = NameTable.headerLength + 4 * nameSlots
        var bytes = [UInt8](repeating: 0, count: addressStart + 4 * addressSlots)
        for name in names {
            Self.enter(name.key, in: &bytes, start: NameTable.headerLength, count: nameSlots)
            bytes.append(UInt8(truncatingIfNeeded: name.key.count))
            bytes += name.key
            let (v4, v6) = (name.v4.prefix(Int(UInt16.max)), name.v6.prefix(Int(UInt16.max)))
            for count in [v4.count, v6.count] { bytes.append(littleEndian: UInt16(count)) }
            for address in v4 { bytes += address.bytes }
            for address in v6 { bytes += address.bytes }
        }
        for (address, name) in reverse {
            let key = address.bytes
            Self.enter(key, in: &bytes, start: addressStart, count: addressSlots)
            bytes.append(address.family.rawValue)
            bytes += key
            bytes.append(UInt8(truncatingIfNeeded: name.wireFormat.count))
            bytes += name.wireFormat
        }
        var header: [UInt8] = []
        header.append(littleEndian: NameTable.magic)
        header.append(littleEndian: generation)
        for number in [bytes.count, nameSlots, addressSlots, 0] {
            header.append(littleEndian: UInt32(truncatingIfNeeded: number))
        }
        bytes.replaceSubrange(..<header.count, with: header)
        return bytes
    }

    /// At least twice as many as there are keys, so that there is always a free one, and one near.
    private static func slotCount(_ keys: Int) -> Int {
        var count = 2
        while count < 2 * keys { count *= 2 }
        return count
    }

    /// Lets a slot for `key` point to the end of `bytes`.
    private static func enter(_ key: [UInt8], in bytes: inout [UInt8], start: Int, count: Int) {
        var slot = Int(NameTableHash.of(key)) & (count - 1)
        func position() -> Int { start + 4 * slot }
        while bytes[position()..<(position() + 4)].contains(where: { $0 != 0 }) { slot = (slot + 1) & (count - 1) }
        var offset: [UInt8] = []
        offset.append(littleEndian: UInt32(truncatingIfNeeded: bytes.count))
        bytes.replaceSubrange(position()..<(position() + 4), with: offset)
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
