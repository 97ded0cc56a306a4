import DNS
import LinuxKernel
import Netlink
import ShimProtocol
import SystemPackage

extension SupervisedContainer {
    /// Changes what the resolver answers, gives the container one, or takes it away.
    func resolve(_ configuration: ResolverConfiguration?) throws(ShimError) {
        guard let configuration else {
            // The rules would lead to nobody, which is as good as nothing.
            try? resolver?.hide()
            return endResolver()
        }
        if let resolver { return resolver.change(to: configuration) }
        guard let pid = phase.pid else { throw ShimError(.conflict, "the container has ended") }
        resolver = try NameService.start(
            configuration, namespace: FilePath("/proc/\(pid)/ns/net"), context: shim.context)
    }

    /// Closes the resolver, and with it the shim's hold of the network namespace.
    func endResolver() {
        resolver?.close()
        resolver = nil
    }
}

extension NameService {
    /// The resolver of a container in the network namespace at this path. Programs in it find the resolver at port 53.
    ///
    /// - Throws: `conflict` for the shim's own network namespace: a resolver there would be the host's.
    static func start(
        _ configuration: ResolverConfiguration, namespace path: FilePath, context: StreamContext
    ) throws(ShimError) -> NameService {
        let namespace = try attempt("open \(path)") { () throws(Errno) in try Files.open(path, .readOnly) }
        do throws(ShimError) {
            let isOwn = try attempt("stat /proc/self/ns/net") { () throws(Errno) in
                let (own, other) = (try FileStatus.of("/proc/self/ns/net"), try FileStatus.of(namespace))
                return own.device == other.device && own.inode == other.inode
            }
            if isOwn { throw ShimError(.conflict, "a container in the host's network namespace can have no resolver") }
        } catch {
            namespace.discard()
            throw error
        }
        let service = try attempt("cannot start the resolver at \(Resolver.address)") { () throws(Errno) in
            try NameService(configuration, namespace: namespace, context: context)
        }
        do throws(NetlinkError) {
            try service.show()
        } catch {
            service.close()
            throw ShimError(.system, "cannot start the resolver at \(Resolver.address): \(error)")
        }
        return service
    }
}
