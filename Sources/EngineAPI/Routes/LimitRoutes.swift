import EngineAPIModel
import HTTPServing
import HostLimits
import LinuxKernel
import Logging
import Networks
import NIOHTTP1

extension EngineRoutes {
    /// What this machine has room for, and how to make more.
    var limits: [Route] {
        [
            Route(.GET, "/masu/limits") { request in .json(HostLimitReport(try limits(for: request))) },
            Route(.POST, "/masu/limits") { request in
                let changes = try limits(for: request).raise()
                for change in changes {
                    var metadata: Logger.Metadata = [
                        "name": "\(change.name)", "from": "\(change.from)", "to": "\(change.to)",
                    ]
                    if let failure = change.failure {
                        metadata["error"] = "\(failure)"
                        logger.warning("cannot raise a kernel parameter as requested", metadata: metadata)
                    } else {
                        logger.notice("kernel parameter raised by request", metadata: metadata)
                    }
                }
                // As they are now.
                var report = HostLimitReport(try limits(for: request))
                report.changes = changes.map(HostLimitChange.init)
                return .json(report)
            },
        ]
    }

    private func limits(for request: RoutedRequest) throws -> HostLimits {
        let containers = try request.query.integer("containers") ?? 1000
        guard HostNeeds.containers.contains(containers) else {
            throw APIError.invalid(
                "invalid number of containers \(containers): it has to be from \(HostNeeds.containers.lowerBound) to "
                    + "\(HostNeeds.containers.upperBound)")
        }
        // Always known; a process without a limit has none here either.
        let openFiles = (try? ResourceLimit.nofile.get().soft) ?? .max
        return HostLimits(for: containers, openFiles: openFiles, bridgePorts: Networks.portsOfBridge)
    }
}

extension HostLimitReport {
    init(_ limits: HostLimits) {
        self.init()
        containers = limits.containers
        self.limits = limits.limits.map { limit in
            var line = HostLimitLine()
            line.name = limit.name
            line.purpose = limit.purpose
            // What no file system or counter can have is no limit.
            line.present = limit.present.map { $0 > UInt64(Int64.max) ? -1 : Int64($0) }
            line.need = Int64(clamping: limit.need)
            line.isShort = limit.isShort
            line.remedy = limit.remedy
            return line
        }
    }
}

extension HostLimitChange {
    init(_ change: HostLimits.Change) {
        self.init()
        name = change.name
        from = Int64(clamping: change.from)
        to = Int64(clamping: change.to)
        error = change.failure ?? ""
    }
}
