/// `GET /masu/limits`, and `POST` of the same, which raises them first: the limits of the daemon's machine.
package struct HostLimitReport: WireObject {
    /// How many containers the needs are those of.
    @Always package var containers: Int = 0
    /// All limits that matter.
    @Always package var limits: [HostLimitLine] = []
    /// What has been raised, or could not be.
    @OmittedIfEmpty package var changes: [HostLimitChange] = []

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case containers = "Containers"
        case limits = "Limits"
        case changes = "Changes"
    }
}

/// One limit of a machine.
package struct HostLimitLine: WireObject {
    /// Such as `kernel.pid_max`.
    @Always package var name: String = ""
    /// What it limits, in words.
    @Always package var purpose: String = ""
    /// What there is: `null` if the machine does not show it, -1 for no limit.
    @Always package var present: Int64? = nil
    /// What the containers need.
    @Always package var need: Int64 = 0
    /// Whether there is less than is needed.
    @Always package var isShort: Bool = false
    /// What to type, or to do, so that there is enough.
    @Always package var remedy: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case purpose = "Purpose"
        case present = "Present"
        case need = "Need"
        case isShort = "Short"
        case remedy = "Remedy"
    }
}

/// A limit that the daemon has raised, or tried to.
package struct HostLimitChange: WireObject {
    /// The kernel parameter.
    @Always package var name: String = ""
    /// Before.
    @Always package var from: Int64 = 0
    /// After.
    @Always package var to: Int64 = 0
    /// Why it has not been raised; empty if it has.
    @OmittedIfEmpty package var error: String = ""

    /// An object whose fields have their defaults.
    package init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case from = "From"
        case to = "To"
        case error = "Error"
    }
}
