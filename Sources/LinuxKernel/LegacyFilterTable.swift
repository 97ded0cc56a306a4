import Addresses
import Glibc
import SystemPackage

/// A table of the kernel's old packet filter, which iptables-legacy(8) and ip6tables-legacy(8) write, in this thread's
/// network namespace. The names and structures are those of linux/netfilter_ipv4/ip_tables.h and its sibling of IPv6.
package struct LegacyFilterTable: Hashable, Sendable {
    /// Of which packets it decides.
    package let family: IPAddress.Family
    /// `filter`, `nat`, `mangle`, `raw` or `security`.
    package let name: String

    /// A table of this name.
    package init(_ family: IPAddress.Family, _ name: String) {
        self.family = family
        self.name = name
    }

    /// The tables that may decide about a packet: those with rules, or with a policy other than to accept. One that
    /// cannot be read may have them.
    package static func deciding() -> [LegacyFilterTable] {
        IPAddress.Family.allCases.flatMap { family in
            let file = family == .ipv4 ? "ip_tables_names" : "ip6_tables_names"
            // A kernel without the old packet filter has no such file.
            let names = (try? Files.readText(FilePath("/proc/thread-self/net/" + file))) ?? ""
            return names.split(separator: "\n").map { LegacyFilterTable(family, String($0)) }
                .filter { !$0.isIdle }
        }
    }

    /// Whether it has no rules, and all its policies accept.
    private var isIdle: Bool {
        guard let socket = try? InternetSocket.make(.udp, family) else { return false }
        defer { socket.discard() }
        // `struct ipt_getinfo`: name, hooks, first entries, policies, number of entries, their size.
        var information = Array((Array(name.utf8.prefix(31)) + [UInt8](repeating: 0, count: 84)).prefix(84))
        guard option(64, of: socket, &information) else { return false }
        func number(_ bytes: [UInt8], _ offset: Int) -> Int {
            guard offset >= 0, offset + 4 <= bytes.count else { return 0 }
            return Int(bytes[offset..<(offset + 4)].withUnsafeBytes { $0.loadUnaligned(as: Int32.self) })
        }
        let hooks = (0..<5).filter { number(information, 32) & 1 << $0 != 0 }
        // One entry for each hook's policy, and one that ends the table.
        guard number(information, 76) == hooks.count + 1 else { return false }
        let size = number(information, 80)
        guard (1...(1 << 20)).contains(size) else { return false }
        // `struct ipt_get_entries`: name, size, entries.
        var entries = Array(information[..<32]) + withUnsafeBytes(of: UInt32(size)) { Array($0) }
        entries += [UInt8](repeating: 0, count: 4 + size)
        guard option(65, of: socket, &entries) else { return false }
        return hooks.allSatisfy { hook in
            let entry = Self.start + number(information, 56 + 4 * hook)
            // `target_offset` of `struct ipt_entry` and `struct ip6t_entry`, and the verdict of the standard target.
            let target = number(entries, entry + (family == .ipv4 ? 88 : 140)) & 0xffff
            return number(entries, entry + target + 32) == Self.accept
        }
    }

    /// Where entries begin.
    private static let start = 40
    /// `-NF_ACCEPT - 1`.
    private static let accept = -2

    private func option(_ option: CInt, of socket: FileDescriptor, _ bytes: inout [UInt8]) -> Bool {
        var size = socklen_t(bytes.count)
        return getsockopt(socket.rawValue, family == .ipv4 ? 0 : 41, option, &bytes, &size) == 0
    }
}
