import LinuxKernel
import Netlink
import SystemPackage

/// A container's network namespace as seen by who sets it up.
struct Inside: Sendable {
    let descriptor: FileDescriptor
    let route: RouteSocket
    /// The first number that no interface there has.
    let nextIndex: Int32
    /// The interfaces that were there before.
    let links: [Link]
    /// Whether it was prepared, with IPv6 off for interfaces to come.
    private let isPrepared: Bool

    /// One that was prepared.
    init(_ prepared: PreparedNamespace) {
        descriptor = prepared.descriptor
        route = prepared.route
        nextIndex = prepared.nextIndex
        links = []
        isPrepared = true
    }

    /// One that is in use.
    init(_ namespace: FileDescriptor) throws(NetworksError) {
        descriptor = namespace
        do throws(NetlinkError) {
            route = try RouteSocket.opened(in: namespace)
            links = try route.links()
            nextIndex = Self.freeIndex(links)
            try route.perform(Link.set(.index(1), LinkSettings(isUp: true)))
        } catch {
            throw .system("\(error)")
        }
        isPrepared = false
    }

    /// A number from which on no interface has one. Who can make interfaces there may have taken the highest numbers;
    /// then it is the lowest one that is free.
    private static func freeIndex(_ links: [Link]) -> Int32 {
        let taken = Set(links.map(\.index))
        if let highest = taken.max(), highest > Int32.max / 2 {
            return (2...Int32.max).first { !taken.contains($0) } ?? 2
        }
        return (taken.max() ?? 0) + 1
    }

    /// Lets new interfaces have IPv6 as anywhere else.
    func allowIPv6() throws(NetworksError) {
        let result: Result<Void, NetworksError>
        do throws(Errno) {
            result = try NetworkNamespace.visit(descriptor) {
                Result { () throws(NetworksError) in
                    // A kernel without IPv6 has no such file.
                    guard HostNetwork.parameter("ipv6/conf/default/disable_ipv6") != nil else { return }
                    try HostNetwork.set("ipv6/conf/default/disable_ipv6", to: "0")
                }
            }
        } catch {
            throw .system("cannot enter the container's network namespace: \(error.words)")
        }
        try result.get()
    }

    /// Sets the kernel's parameters of new interfaces, while they are down: IPv6 is on where the network has it, and
    /// nowhere else.
    func setParameters(_ attachments: [Attachment]) throws(NetlinkError) {
        let result: Result<Void, NetworksError>
        do throws(Errno) {
            result = try NetworkNamespace.visit(descriptor) {
                Result { () throws(NetworksError) in
                    let hasIPv6 = HostNetwork.parameter("ipv6/conf/all/disable_ipv6") != nil
                    for attachment in attachments {
                        let endpoint = attachment.endpoint
                        let isOn = endpoint.ipv6 != nil || endpoint.linkLocal.contains(where: \.isIPv6)
                        let parameter = "ipv6/conf/\(endpoint.interfaceName)/disable_ipv6"
                        if hasIPv6, isOn || !isPrepared { try HostNetwork.set(parameter, to: isOn ? "0" : "1") }
                        for sysctl in EndpointSysctl.all(endpoint.driverOptions, interface: endpoint.interfaceName) {
                            try HostNetwork.set(sysctl.path, to: sysctl.value)
                        }
                    }
                    // Interfaces that the container makes itself have IPv6 as anywhere else.
                    if hasIPv6, isPrepared { try HostNetwork.set("ipv6/conf/default/disable_ipv6", to: "0") }
                }
            }
        } catch {
            throw NetlinkError(error, "enter the container's network namespace")
        }
        do throws(NetworksError) {
            try result.get()
        } catch {
            throw NetlinkError(.invalidArgument, "set up the container's interfaces", text: error.message)
        }
    }
}
