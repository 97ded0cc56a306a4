import Foundation
import Testing

/// The host's own chains of input and forwarding, as its administrator makes them with one of these tools.
enum HostFirewall: String, CaseIterable {
    case nft
    case iptables = "iptables-nft"

    /// The tool, if it is installed.
    static var available: [HostFirewall] { allCases.filter { Programs.find($0.rawValue) != nil } }

    /// Says that a test cannot be, and why.
    static var isMissing: Comment { "needs nft and iptables-nft (packages nftables and iptables)" }

    /// Runs a line of the host's administrator.
    static func type(_ line: String, at location: SourceLocation = #_sourceLocation) throws {
        let result = try Command("/bin/sh", "-c", line).runToEnd()
        try #require(result.code == 0, "\(result)", sourceLocation: location)
    }

    /// Has chains drop what they are not told to accept, or accept all; connections that there are go on.
    func set(inputDrops: Bool, forwardDrops: Bool) throws {
        func policy(_ drops: Bool) -> String { drops ? "drop" : "accept" }
        switch self {
        case .nft:
            let text = """
                table inet host
                delete table inet host
                table inet host {
                    chain input {
                        type filter hook input priority filter; policy \(policy(inputDrops));
                        ct state established,related accept
                        iif lo accept
                        meta l4proto ipv6-icmp accept
                    }
                    chain forward {
                        type filter hook forward priority filter; policy \(policy(forwardDrops));
                        ct state established,related accept
                    }
                }
                """
            let nft = try #require(Programs.find("nft"))
            var command = Command(nft, "-f", "-")
            command.input = Array((text + "\n").utf8)
            let result = try command.runToEnd()
            try #require(result.code == 0, "\(result)")
        case .iptables:
            for program in ["iptables-nft", "ip6tables-nft"] {
                try Self.type(
                    """
                    \(program) -F && \(program) -P INPUT \(policy(inputDrops).uppercased()) \
                    && \(program) -P FORWARD \(policy(forwardDrops).uppercased()) \
                    && \(program) -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT \
                    && \(program) -A INPUT -i lo -j ACCEPT \
                    && \(program) -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
                    """)
            }
            try Self.type("ip6tables-nft -A INPUT -p ipv6-icmp -j ACCEPT")
        }
    }
}

/// ufw(8) with files of its own: what it writes, it shows to nobody but itself.
final class PrivateUFW {
    private let directory: String

    static var isAvailable: Bool { Programs.find("ufw") != nil }

    init() throws {
        var template = Array("/tmp/masu-ufw.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp failed") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // The machine's kernel parameters are none of its business.
        try HostFirewall.type(
            "cp -a /etc/ufw \(directory)/etc "
                + "&& sed 's/^IPT_SYSCTL=.*/IPT_SYSCTL=/' /etc/default/ufw >\(directory)/default")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Runs a line of ufw's administrator.
    func type(_ line: String) throws {
        let result = try Command(
            "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
            "mount --bind \(directory)/etc /etc/ufw && mount --bind \(directory)/default /etc/default/ufw && \(line)"
        ).runToEnd()
        try #require(result.code == 0, "\(result)")
    }

    /// Switches it on, with or without forwarding.
    func set(forwardDrops: Bool) throws {
        let policy = forwardDrops ? "DROP" : "ACCEPT"
        // It is written anew in place, as others have it mounted.
        try type(
            "sed 's/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY=\"\(policy)\"/' /etc/default/ufw >/tmp/ufw.$$ "
                + "&& cat /tmp/ufw.$$ >/etc/default/ufw && rm /tmp/ufw.$$ && ufw --force enable && ufw reload")
    }
}
