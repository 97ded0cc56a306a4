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
        let host = try attempt("cannot open a netlink socket") { () throws(Errno) in try RouteSocket() }
        let container = try attempt("cannot open a netlink socket in the namespace") { () throws(Errno) in
            try RouteSocket.opened(in: namespace)
        }
        let found = "link not found for interface \(name) on runtime namespace"
        guard let link = try attempt(found, { () throws(Errno) in try host.link(named: name) }) else {
            throw RuntimeError(.invalid, "\(found): Link not found")
        }
        // Before it is switched off, which takes addresses of IPv6 from it.
        let addresses = try attempt("fail to get ip addresses") { () throws(Errno) in
            try host.addresses(of: link).filter { $0.isPermanent && $0.isGlobal }
        }
        // Known before anything is changed.
        let before = try attempt("cannot list links of the namespace") { () throws(Errno) in try container.links() }
        let failure = "fail to move network device \(name) to network namespace \(path)"
        if before.contains(where: { $0.name == newName }) {
            throw RuntimeError(.conflict, "\(failure): \(Errno.fileExists)")
        }
        // So that nothing on the host uses it while it changes.
        try attempt("fail to set link down") { () throws(Errno) in try host.set(link, isUp: false) }
        try attempt(failure, kind: .invalid) { () throws(Errno) in
            try host.move(link, to: namespace, name: newName)
        }
        // By what is new, as the kernel may have chosen its name and number.
        let after = try attempt("cannot list links of the namespace") { () throws(Errno) in try container.links() }
        guard
            let moved = after.first(where: { new in
                !before.contains { $0.index == new.index } && (new.name == newName || newName.contains("%"))
            })
        else {
            throw RuntimeError(.system, "link not found for interface \(newName) on namespace \(path): Link not found")
        }
        for address in addresses {
            try attempt("fail to set up address \(address) on namespace \(path)") { () throws(Errno) in
                try container.add(address, to: moved)
            }
        }
        try attempt("fail to set up interface \(moved.name) on namespace \(path)") { () throws(Errno) in
            try container.set(moved, isUp: true)
        }
    }
}
