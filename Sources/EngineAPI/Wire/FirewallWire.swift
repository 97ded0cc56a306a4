import EngineAPIModel
import Networks

extension EngineAPIModel.NetworkFirewall {
    /// What the host's chains say, with the names of containers by their ids.
    init(_ report: FirewallReport, names: [String: String]) {
        self.init()
        mode = report.mode.rawValue
        modeChosen = report.isModeChosen
        notes = report.notes
        ports = report.entries.map { entry in
            var wire = FirewallEntry()
            wire.container = names[entry.sandbox] ?? ""
            wire.containerID = entry.sandbox
            wire.hostIP = entry.port.hostAddress.description
            wire.hostPort = Int(entry.port.hostPort)
            wire.containerPort = Int(entry.port.containerPort)
            wire.transport = entry.port.transport.rawValue
            switch entry.source {
            case .host: wire.from = "host"
            case .machines: wire.from = "machines"
            case .interface(let name):
                wire.from = "machines"
                wire.interface = name
            case .containers: wire.from = "containers"
            }
            wire.verdict = entry.verdict.rawValue
            wire.rule = entry.reason ?? ""
            wire.remedy = entry.remedy ?? ""
            return wire
        }
    }
}
