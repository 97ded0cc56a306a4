import Addresses

/// A port of the host that could not be had.
package struct PortConflict: Hashable, Sendable, Codable {
    /// Who has a port.
    package struct Holder: Hashable, Sendable, Codable {
        /// The process; 0 for a container that has the port without one, as its shim is still to come.
        package var pid: Int32
        /// What it is called in `/proc/<pid>/comm`.
        package var command: String
        /// The container whose shim it is; `nil` for any other process.
        package var container: String?

        /// A process.
        package init(pid: Int32, command: String, container: String? = nil) {
            self.pid = pid
            self.command = command
            self.container = container
        }
    }

    /// What was to be bound. Of a range this is the last port that was tried.
    package var port: PublishedPort
    /// The kernel's word for it, as in `address already in use`.
    package var reason: String
    /// Whether somebody else has the port, or all ports of the range.
    package var isInUse: Bool
    /// Who has it; `nil` if that is not known.
    package var holder: Holder?

    /// A port, and why it cannot be had.
    package init(_ port: PublishedPort, reason: String, isInUse: Bool, holder: Holder? = nil) {
        self.port = port
        self.reason = reason
        self.isInUse = isInUse
        self.holder = holder
    }

    /// The last part of Docker's text; clients look for "port is already allocated" and "address already in use".
    package func reason(for target: PortTarget) -> String {
        if isInUse, holder?.container != nil { return "Bind for \(port) failed: port is already allocated" }
        let place = target[port.hostAddress.family] ?? target.ipv4 ?? target.ipv6
        let inside = place.map { PublishedPort.text($0.address, port.containerPort) } ?? "\(port.containerPort)"
        return "failed to bind host port for \(port):\(inside)/\(port.transport.rawValue): \(reason)"
    }

    /// Docker's text for a container that cannot be started because of this, and who has the port.
    ///
    /// - Parameters:
    ///   - endpoint: The container's name.
    ///   - id: The endpoint's id.
    ///   - name: Names the container with this id; `nil` leaves the id.
    package func message(
        endpoint: String, id: String, target: PortTarget, name: (String) -> String? = { _ in nil }
    ) -> String {
        "failed to set up container networking: " + cause(endpoint: endpoint, id: id, target: target, name: name)
    }

    /// The part of `message` that says what failed; the arguments are the same.
    package func cause(
        endpoint: String, id: String, target: PortTarget, name: (String) -> String? = { _ in nil }
    ) -> String {
        "driver failed programming external connectivity on endpoint \(endpoint) (\(id)): "
            + text(for: target, name: name)
    }

    /// What could not be had, and who has it.
    ///
    /// - Parameter name: Names the container with this id; `nil` leaves the id.
    package func text(for target: PortTarget, name: (String) -> String? = { _ in nil }) -> String {
        let text = reason(for: target)
        guard let holder else { return text }
        if let container = holder.container { return text + " (by container \(name(container) ?? container))" }
        return text + " (by process \(holder.pid), \(holder.command))"
    }
}
