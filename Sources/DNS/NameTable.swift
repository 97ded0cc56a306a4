import Addresses
import Glibc
import LinuxKernel
import SystemPackage

/// All names of a network, as masud has written them (`NameTableWriter`), in a file that any number of shims map into
/// memory and share.
///
/// Nobody changes such a file: a new one takes its place. So a mapping stays as it is for as long as it is held, and
/// the file has been replaced if another inode has its name (`NameFile`).
///
/// All numbers are little-endian. Offsets count from the beginning of the file; 0 is an empty slot.
///
///     0   8 bytes   "masudns1"
///     8   8 bytes   generation, one more than that of the file before
///     16  4 bytes   length of the file
///     20  4 bytes   n, slots of names; a power of two
///     24  4 bytes   m, slots of addresses; a power of two
///     28  4 bytes   0
///     32  4 n bytes offsets of names
///         4 m bytes offsets of addresses
///     name          length of the key, 1 byte; key: the name in lower case, in the format of messages (`DomainName`);
///                   how many IPv4 and how many IPv6 addresses it has, 2 bytes each; the addresses, as in messages
///     address       4 or 6, 1 byte; the address, as in messages; length of its name, 1 byte; its name, likewise
///
/// A key is in the slot that its hash (FNV-1a, 32 bits) chooses, or in the first free one after that. Nothing in the
/// file is believed: what leads out of it is not there.
package final class NameTable {
    /// One more than that of the table before.
    package let generation: UInt64
    /// Which file it is: the inode of one that is mapped is not given to another one.
    private(set) var identity: FileIdentity?
    private let bytes: UnsafeRawBufferPointer
    private let names: Slots
    private let addresses: Slots
    private let unmap: (UnsafeRawBufferPointer) -> Void

    struct FileIdentity: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ status: FileStatus) {
            device = status.device
            inode = status.inode
        }
    }

    private struct Slots {
        var offset: Int
        var count: Int
    }

    static let magic = UInt64(littleEndian: 0x3173_6E64_7573_616D)
    static let headerLength = 32
    /// The longest file that is mapped.
    static let maximumLength = 64 << 20

    /// Maps the file at `path`.
    ///
    /// - Throws: `badMessage` if it is no table of names.
    package convenience init(mapping path: FilePath) throws(Errno) {
        let file = try Files.open(path, [.readOnly, .noFollow])
        defer { file.discard() }
        let status = try FileStatus.of(file)
        guard status.kind == .regular, status.size >= Self.headerLength, status.size <= Self.maximumLength
        else { throw .badMessage }
        let length = Int(status.size)
        guard let memory = mmap(nil, length, PROT_READ, MAP_SHARED, file.rawValue, 0), memory != MAP_FAILED
        else { throw Errno(rawValue: errno) }
        let bytes = UnsafeRawBufferPointer(start: memory, count: length)
        do throws(Errno) {
            try self.init(bytes) { munmap(UnsafeMutableRawPointer(mutating: $0.baseAddress), $0.count) }
        } catch {
            munmap(memory, length)
            throw error
        }
        identity = FileIdentity(status)
    }

    /// A table of bytes that stay as they are until `unmap` is called, when the table is of no use any more.
    ///
    /// - Throws: `badMessage` if they are no table of names; `unmap` is not called then.
    package init(
        _ bytes: UnsafeRawBufferPointer, unmap: @escaping (UnsafeRawBufferPointer) -> Void
    ) throws(Errno) {
        let reader = TableReader(bytes)
        guard reader.number(at: 0, UInt64.self) == Self.magic,
            reader.number(at: 16, UInt32.self) == UInt32(exactly: bytes.count),
            let generation = reader.number(at: 8, UInt64.self),
            let nameCount = reader.number(at: 20, UInt32.self).map({ Int($0) }), Self.isPowerOfTwo(nameCount),
            let addressCount = reader.number(at: 24, UInt32.self).map({ Int($0) }), Self.isPowerOfTwo(addressCount),
            Self.headerLength + 4 * (nameCount + addressCount) <= bytes.count
        else { throw .badMessage }
        // After this nothing may be thrown: an object that is complete calls `unmap`.
        self.bytes = bytes
        self.unmap = unmap
        self.generation = generation
        names = Slots(offset: Self.headerLength, count: nameCount)
        addresses = Slots(offset: Self.headerLength + 4 * nameCount, count: addressCount)
    }

    deinit { unmap(bytes) }

    /// The addresses of one family that a name has: none if it has only others, `nil` if there is no such name.
    ///
    /// - Parameter name: In lower case.
    package func addresses(of name: DomainName, _ family: IPAddress.Family) -> [IPAddress]? {
        let reader = TableReader(bytes)
        return find(NameTableHash.of(name.wireFormat), in: names) { offset in
            guard reader.isEqual(at: offset, name.wireFormat) else { return nil }
            let counts = offset + 1 + name.wireFormat.count
            guard let v4 = reader.number(at: counts, UInt16.self), let v6 = reader.number(at: counts + 2, UInt16.self)
            else { return nil }
            let start = counts + 4 + (family == .ipv6 ? 4 * Int(v4) : 0)
            return reader.addresses(at: start, family == .ipv6 ? Int(v6) : Int(v4), family)
        }
    }

    /// The name of an address, without that of the network; `nil` if it is nobody's.
    package func name(of address: IPAddress) -> DomainName? {
        let reader = TableReader(bytes)
        let key = address.bytes
        return find(NameTableHash.of(key), in: addresses) { offset in
            guard reader.number(at: offset, UInt8.self) == address.family.rawValue,
                reader.bytes(at: offset + 1, key.count)?.elementsEqual(key) == true,
                let length = reader.number(at: offset + 1 + key.count, UInt8.self),
                let name = reader.bytes(at: offset + 2 + key.count, Int(length))
            else { return nil }
            return DomainName(checking: name)
        }
    }

    /// What `match` makes of the first entry that it does not refuse.
    private func find<Found>(_ hash: UInt32, in slots: Slots, _ match: (Int) -> Found?) -> Found? {
        let reader = TableReader(bytes)
        for step in 0..<slots.count {
            let slot = (Int(hash) + step) & (slots.count - 1)
            guard let offset = reader.number(at: slots.offset + 4 * slot, UInt32.self), offset > 0 else { return nil }
            if let found = match(Int(offset)) { return found }
        }
        return nil
    }

    private static func isPowerOfTwo(_ number: Int) -> Bool { number > 0 && number & (number - 1) == 0 }
}

/// Reads from anywhere in a table's bytes; `nil` for what is not there.
private struct TableReader {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func bytes(at offset: Int, _ count: Int) -> UnsafeRawBufferPointer? {
        guard offset >= 0, count >= 0, bytes.count - offset >= count else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
    }

    func number<Number: FixedWidthInteger>(at offset: Int, _ type: Number.Type) -> Number? {
        bytes(at: offset, MemoryLayout<Number>.size).map { Number(littleEndian: $0.loadUnaligned(as: Number.self)) }
    }

    /// Whether a length, and so many bytes, are those of `key`.
    func isEqual(at offset: Int, _ key: [UInt8]) -> Bool {
        number(at: offset, UInt8.self).map { Int($0) } == key.count
            && bytes(at: offset + 1, key.count)?.elementsEqual(key) == true
    }

    func addresses(at offset: Int, _ count: Int, _ family: IPAddress.Family) -> [IPAddress]? {
        let size = family.bits / 8
        guard let bytes = bytes(at: offset, count * size) else { return nil }
        return (0..<count).compactMap { IPAddress(bytes: bytes[($0 * size)..<(($0 + 1) * size)]) }
    }
}

/// FNV-1a with 32 bits. It has to be the same in every program that writes or reads a table.
enum NameTableHash {
    static func of(_ bytes: [UInt8]) -> UInt32 {
        bytes.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }
}

extension DomainName {
    /// A name without compression that is exactly these bytes.
    init?(checking bytes: UnsafeRawBufferPointer) {
        var reader = WireReader(bytes)
        // Pointers are refused, as they would lead to before the name.
        guard let name = try? reader.name(), reader.position == bytes.count else { return nil }
        self = name
    }
}
