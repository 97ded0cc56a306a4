import LinuxKernel
import Netlink
import OCISpec
import SystemPackage

/// Network devices of the host that a container gets (`config-linux.md`, "Network Devices").
///
/// They stay in the container's network namespace for as long as that exists. After it the kernel gives those that are
/// hardware back to the host, and removes the others: the specification wants the runtime to have no part in that.
struct NetworkDevices {
    /// By their names on the host.
    let devices: [String: LinuxNetDevice]

    /// Refuses what cannot be done.
    func check(hasNamespace: Bool) throws(RuntimeError) {
        if devices.isEmpty { return }
        guard hasNamespace else {
            throw RuntimeError(.invalid, "unable to move network devices without a NET namespace")
        }
        for (name, device) in devices.sorted(by: { $0.key < $1.key }) {
            try Self.check(name: name)
            if let newName = device.name, !newName.isEmpty { try Self.check(name: newName) }
        }
    }

    private static func check(name: String) throws(RuntimeError) {
        // What the kernel takes as a name (dev_valid_name).
        guard !name.isEmpty, name.utf8.count < 16, name != ".", name != "..",
            !name.utf8.contains(where: { "/: \t\n\r\u{b}\u{c}\0".utf8.contains($0) })
        else { throw RuntimeError(.invalid, "invalid network device name \"\(name)\"") }
    }

    /// Moves all of them into the network namespace whose file is `path`.
    func move(to path: FilePath) throws(RuntimeError) {
        if devices.isEmpty { return }
        for (name, device) in devices.sorted(by: { $0.key < $1.key }) {
            let newName = device.name.flatMap { $0.isEmpty ? nil : $0 } ?? name
            do throws(RuntimeError) {
                try move(name, to: path, newName)
            } catch {
                throw RuntimeError(error.kind, "move netDevice \(name) to namespace \(path): \(error.message)")
            }
        }
    }

    private func move(_ name: String, to path: FilePath, _ newName: String) throws(RuntimeError) {
        let namespace = try attempt("could not get network namespace from path \(path) for network device \(name)") {
            () throws(Errno) in try Files.open(path, .readOnly)
        }
        defer { namespace.discard() }
        let host = try ask("cannot open a netlink socket") { () throws(NetlinkError) in try RouteSocket() }
        let container = try ask("cannot open a netlink socket in the namespace") { () throws(NetlinkError) in
            try RouteSocket.opened(in: namespace)
        }
        let found = "link not found for interface \(name) on runtime namespace"
        guard let link = try ask(found, { () throws(NetlinkError) in try host.link(.name(name)) }) else {
            throw RuntimeError(.invalid, "\(found): Link not found")
        }
        // Before it is switched off, which takes addresses of IPv6 from it.
        let addresses = try ask("fail to get ip addresses") { () throws(NetlinkError) in
            try host.addresses(of: link.index).filter { $0.isPermanent && $0.isGlobal }
        }
        // Known before anything is changed.
        let before = try ask("cannot list links of the namespace") { () throws(NetlinkError) in try container.links() }
        let failure = "fail to move network device \(name) to network namespace \(path)"
        if before.contains(where: { $0.name == newName }) {
            throw RuntimeError(.conflict, "\(failure): \(Errno.fileExists)")
        }
        // So that nothing on the host uses it while it changes.
        try ask("fail to set link down") { () throws(NetlinkError) in
            try host.perform(Link.set(.index(link.index), LinkSettings(isUp: false)))
        }
        try ask(failure, kind: .invalid) { () throws(NetlinkError) in
            // In one step, so that it never has the name of another interface.
            try host.perform(Link.set(.index(link.index), LinkSettings(name: newName, namespace: namespace)))
        }
        // By what is new, as the kernel may have chosen its name and number.
        let after = try ask("cannot list links of the namespace") { () throws(NetlinkError) in try container.links() }
        guard
            let moved = after.first(where: { new in
                !before.contains { $0.index == new.index } && (new.name == newName || newName.contains("%"))
            })
        else {
            throw RuntimeError(.system, "link not found for interface \(newName) on namespace \(path): Link not found")
        }
        for address in addresses {
            try ask("fail to set up address \(address) on namespace \(path)") { () throws(NetlinkError) in
                try container.perform(address.addition(to: moved.index))
            }
        }
        try ask("fail to set up interface \(moved.name) on namespace \(path)") { () throws(NetlinkError) in
            try container.perform(Link.set(.index(moved.index), LinkSettings(isUp: true)))
        }
    }

    /// Does `body`, which asks the kernel something, and says of its errors what it is about.
    private func ask<Value>(
        _ what: @autoclosure () -> String, kind: RuntimeError.Kind = .system, _ body: () throws(NetlinkError) -> Value
    ) throws(RuntimeError) -> Value {
        do throws(NetlinkError) {
            return try body()
        } catch {
            throw RuntimeError(kind, "\(what()): \(error.reason)")
        }
    }
}
