import Addresses
import LinuxKernel
import SystemPackage

/// Finds out who has a port of the host.
package enum PortHolders {
    /// Who has bound `port` in this thread's network namespace, in such a way that nobody else can; `nil` if no process
    /// is found: the socket is the kernel's own, or its process cannot be seen from here.
    ///
    /// This reads the descriptors of all processes, which is for errors.
    package static func holder(of port: PublishedPort) -> PortConflict.Holder? {
        var sockets: Set<UInt64> = []
        // A socket of IPv6 may take the port of IPv4 as well.
        for family in [port.hostAddress.family, .ipv6] {
            let name = family == .ipv4 ? port.transport.rawValue : port.transport.rawValue + "6"
            // There is no such file for a protocol or family that the kernel does not have.
            guard let text = try? Files.read(FilePath("/proc/thread-self/net/\(name)")) else { continue }
            sockets.formUnion(self.sockets(in: String(decoding: text, as: UTF8.self), at: port))
        }
        if sockets.isEmpty { return nil }
        for pid in ((try? Files.names(in: "/proc")) ?? []).compactMap({ Int32($0) })
        where has(pid, oneOf: sockets) {
            return holder(pid)
        }
        return nil
    }

    private static func has(_ pid: Int32, oneOf sockets: Set<UInt64>) -> Bool {
        // A process that has ended meanwhile, or whose descriptors are not ours to see, has none.
        guard let directory = try? Files.open(FilePath("/proc/\(pid)/fd"), [.readOnly, .directory]) else { return false }
        defer { directory.discard() }
        for name in (try? Files.names(in: directory)) ?? [] {
            guard let target = try? directory.readSymlink(name), target.hasPrefix("socket:[") else { continue }
            if let number = UInt64(target.dropFirst(8).dropLast()), sockets.contains(number) { return true }
        }
        return false
    }

    private static func holder(_ pid: Int32) -> PortConflict.Holder {
        // Either fails only for a process that ends at this moment.
        let command = (try? Files.readText(FilePath("/proc/\(pid)/comm"))) ?? "?"
        let line = (try? Files.read(FilePath("/proc/\(pid)/cmdline"))) ?? []
        let arguments = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return PortConflict.Holder(pid: pid, command: command, container: container(ofShim: command, arguments))
    }

    /// The container whose shim was called like this; `nil` for other programs.
    package static func container(ofShim command: String, _ arguments: [String]) -> String? {
        guard command == "masu-shim", let flag = arguments.firstIndex(of: "--bundle"), flag + 1 < arguments.count
        else { return nil }
        return FilePath(arguments[flag + 1]).lastComponent?.string
    }

    /// The inodes of the sockets in a table such as `/proc/net/tcp` that have `port`, alone or with all addresses;
    /// proc(5).
    package static func sockets(in table: String, at port: PublishedPort) -> [UInt64] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 9, let number = UInt64(fields[9]) else { return nil }
            let local = fields[1].split(separator: ":")
            guard local.count == 2, UInt16(local[1], radix: 16) == port.hostPort, let address = address(local[0])
            else { return nil }
            // Connections that have ended belong to nobody.
            guard number != 0 else { return nil }
            let isWild = address.isUnspecified || port.hostAddress.isUnspecified
            return address == port.hostAddress || isWild ? number : nil
        }
    }

    /// Words of four bytes, each in the order of this machine.
    private static func address(_ text: Substring) -> IPAddress? {
        guard text.utf8.count == 8 || text.utf8.count == 32 else { return nil }
        var number: UInt128 = 0
        var rest = text[...]
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            number = number << 32 | UInt128(word.byteSwapped)
            rest = rest.dropFirst(8)
        }
        return IPAddress(text.utf8.count == 8 ? .ipv4 : .ipv6, number)
    }
}
