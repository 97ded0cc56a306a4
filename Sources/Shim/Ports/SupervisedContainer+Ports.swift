import LinuxKernel
import PublishedPorts
import ShimProtocol
import SystemPackage

extension SupervisedContainer {
    /// Binds more ports of the host for a container that lives.
    func publish(
        _ publication: PortPublication, replacing leaving: [PublishedPort]
    ) throws(ShimError) -> [PublishedPort] {
        try requireAlive()
        if let ports { return try ports.publish(publication, replacing: leaving) }
        guard let pid = phase.pid else { throw ShimError(.conflict, "the container has ended") }
        let new = try PublishedSockets(
            publication, loop: shim.loop, buffer: shim.context.inputBuffer, descriptors: shim.context.descriptors)
        do throws(ShimError) {
            try attempt("cannot open the network namespace of \(pid)") { () throws(Errno) in
                try new.enter(namespaceOf: pid)
            }
        } catch {
            new.close()
            throw error
        }
        ports = new
        return new.ports
    }

    /// Does what clients ask about ports; `nil` for all other requests.
    func answerAboutPorts(_ request: ShimRequest) throws(ShimError) -> ShimResponse? {
        switch request {
        case .publishedPorts: return .published(ports?.ports ?? [])
        case .publish(let publication, let leaving):
            return .published(try publish(publication, replacing: leaving ?? []))
        case .openPorts: try ports?.open()
        case .unpublish(let list): ports?.unpublish(list)
        case .retarget(let target): ports?.retarget(target)
        default: return nil
        }
        return .done
    }
}
