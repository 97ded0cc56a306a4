import BuildInformation
import EngineAPIModel
import Flags
import JSON
import Text

/// The commands about the daemon.
enum SystemCommands {
    private static let since = Flag.string("since", "Show all events created since timestamp")
    private static let until = Flag.string("until", "Stream events until this timestamp")
    private static let filter = Flag.list(
        "filter", short: "f", type: "filter", "Filter output based on conditions provided", check: Filters.check)
    private static let eventFormat = Flag.string(
        "format",
        """
        Format output using a custom template:
        'json':             Print in JSON format
        'TEMPLATE':         Print output using the given Go template
        """)
    private static let clientOnly = Flag.boolean("client", "Only the client's version, without asking the daemon")

    /// The fields of an event whose keys are names of anything: most attributes are those of some events only.
    private static let eventMaps: Set = ["Attributes"]

    static func events(_ placement: Placement) -> Command {
        Command(
            "events", "Get real time events from the daemon",
            examples: [
                .init(
                    "Print the exit code of each container that ends",
                    "masu events --filter event=die --format '{{.Actor.Attributes.exitCode}}'")
            ],
            spellings: ["masu system events", "masu events"], flags: { [filter, eventFormat, since, until] },
            action: { invocation in
                let flags = invocation.flags
                var format = flags[eventFormat]
                if format == "json" { format = "{{json .}}" }
                var template: Template?
                do {
                    if !format.isEmpty {
                        template = try Template(parsing: Listing.unescaped(format), missing: .maps(eventMaps))
                    }
                } catch let error as TemplateError {
                    throw CommandError("template parsing error: \(error.description)", status: 64)
                }
                let response = try DaemonClient(invocation).open(
                    HTTPRequest(
                        "GET", "/events",
                        query: [
                            ("since", flags.given(since).map { try TimeText.apiTimestamp($0) }),
                            ("until", flags.given(until).map { try TimeText.apiTimestamp($0) }),
                            ("filters", Filters.query(flags[filter])),
                        ]))
                var lines = JSONLines()
                while let piece = try response.next() {
                    for line in lines.take(piece) {
                        guard let template else {
                            try Console.print(EventLine.text(try JSON.decode(EventMessage.self, from: line)))
                            continue
                        }
                        do {
                            try Console.print(template.rendered(try JSON.parse(line)))
                        } catch let error as TemplateError {
                            throw CommandError(error.description)
                        }
                    }
                }
                return 0
            })
    }

    static let version = Command(
        "version", "Show the Masu version information",
        examples: [.init("Print the version of the daemon only", "masu version -f '{{.Server.Version}}'")],
        group: "Common Commands", flags: { [FormatFlags.object, clientOnly] },
        action: { invocation in
            let format = invocation.flags[FormatFlags.object]
            var report = VersionReport()
            report.context = try DaemonSelection.contextName(invocation.flags, in: .own)
            var failure: (any Error)?
            if !invocation.flags[clientOnly] {
                do {
                    let client = try DaemonClient(invocation)
                    report.server = try client.value(HTTPRequest("GET", "/version"))
                    // Left out by the daemon when it is false, which to a template it is all the same.
                    if format.holds(".Experimental"), case .object(var server) = report.server {
                        server["Experimental"] = server["Experimental"] ?? .bool(false)
                        report.server = .object(server)
                    }
                } catch {
                    failure = error
                }
            }
            if format.isEmpty {
                try Console.write(report.text)
            } else if format == "json" {
                try Console.print(report.value.text())
            } else {
                try Console.print(render(format, report.value))
            }
            if let failure { throw CommandError(describe(failure)) }
            return 0
        })

    static func info(_ placement: Placement) -> Command {
        Command(
            "info", "Display system-wide information",
            examples: [.init("Print the daemon's data directory", "masu info -f '{{.DockerRootDir}}'")],
            spellings: ["masu system info", "masu info"], group: placement.heading, flags: { [FormatFlags.object] },
            action: { invocation in
                let format = invocation.flags[FormatFlags.object]
                var failure: (any Error)?
                var answer: JSONValue?
                do {
                    answer = try DaemonClient(invocation).value(HTTPRequest("GET", "/info"))
                } catch {
                    failure = error
                }
                if format.isEmpty {
                    try Console.write(InfoReport(server: answer, client: ClientReport(invocation)).text)
                } else if let answer {
                    let clients = ClientReport(invocation)
                    let full = format == "json" || format.holds("ClientInfo") || format.holds("json .")
                    let report = full ? clients.joined(to: answer) : answer
                    try Console.print(format == "json" ? report.text() : try render(format, report, maps: infoMaps))
                }
                if let failure { throw CommandError(describe(failure)) }
                return 0
            })
    }

    /// The fields of `info` whose keys are names of anything: asking for another one is no mistake.
    private static let infoMaps: Set = ["Runtimes", "IndexConfigs", "Labels"]

    private static func render(_ format: String, _ value: JSONValue, maps: Set<String> = []) throws -> String {
        do {
            let template = try Template(
                parsing: Listing.unescaped(format), missing: maps.isEmpty ? .omitted([:]) : .maps(maps))
            return try template.rendered(value)
        } catch {
            throw CommandError(
                error.isSyntax ? "template parsing error: \(error.description)" : error.description,
                status: error.isSyntax ? 64 : 1)
        }
    }
}

/// An event as `masu events` prints it.
package enum EventLine {
    /// `2026-11-21T08:17:03.916160045Z container create 88b096c1d38d (image=busybox, name=jolly)`.
    package static func text(_ event: EventMessage) -> String {
        var text = ""
        if event.timeNano != 0 {
            text = LocalTime.precise(event.timeNano) + " "
        } else if event.time != 0 {
            text = LocalTime.precise(event.time * 1_000_000_000) + " "
        }
        text += "\(event.type) \(event.action) \(event.actor.id)"
        if !event.actor.attributes.isEmpty {
            let attributes = event.actor.attributes.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
            text += " (\(attributes.joined(separator: ", ")))"
        }
        return text
    }
}

/// What `masu version` prints.
struct VersionReport {
    /// The daemon's answer.
    var server: JSONValue?
    /// The name of the context in use.
    var context = StoredContext.standardName

    private var client: JSONValue {
        [
            "Context": .string(context), "Version": .string(MasuVersion.version),
            "ApiVersion": .string(MasuVersion.apiVersion),
            "DefaultAPIVersion": .string(MasuVersion.apiVersion), "Os": "linux", "Arch": .string(Self.architecture),
        ]
    }

    /// The report as templates see it.
    var value: JSONValue { ["Client": client, "Server": server ?? nil] }

    static var architecture: String {
        #if arch(arm64)
        "arm64"
        #elseif arch(x86_64)
        "amd64"
        #elseif arch(riscv64)
        "riscv64"
        #else
        "unknown"
        #endif
    }

    var text: String {
        var text = "Client: Masu\n"
        func add(_ indent: Int, _ name: String, _ value: String) {
            let label = String(repeating: " ", count: indent) + name + ":"
            text += label.padded(to: 20) + value + "\n"
        }
        add(1, "Version", MasuVersion.version)
        add(1, "API version", MasuVersion.apiVersion)
        add(1, "OS/Arch", "linux/\(Self.architecture)")
        add(1, "Context", context)
        guard let server else { return text }
        func field(_ name: String) -> String { server[name].map(TemplateText.shown) ?? "" }
        let platform = server["Platform"]?["Name"]?.string ?? ""
        text += "\nServer:\(platform.isEmpty ? "" : " " + platform)\n Engine:\n"
        // Masu's API gives the version of the Docker Engine it answers like, and its own as a component.
        let components = server["Components"]?.array ?? []
        if let own = components.first(where: { $0["Name"]?.string == "Masu" })?["Version"]?.string {
            add(2, "Version", own)
            add(2, "Answers like", "Docker Engine \(field("Version").prefix { $0 != "+" })")
        } else {
            add(2, "Version", field("Version"))
        }
        add(2, "API version", "\(field("ApiVersion")) (minimum version \(field("MinAPIVersion")))")
        if !field("GoVersion").isEmpty { add(2, "Go version", field("GoVersion")) }
        if !field("GitCommit").isEmpty { add(2, "Git commit", field("GitCommit")) }
        if !field("BuildTime").isEmpty { add(2, "Built", field("BuildTime")) }
        add(2, "OS/Arch", "\(field("Os"))/\(field("Arch"))")
        add(2, "Kernel", field("KernelVersion"))
        for component in components where !["Engine", "Masu"].contains(component["Name"]?.string) {
            text += " \(component["Name"]?.string ?? ""):\n"
            add(2, "Version", component["Version"]?.string ?? "")
            if let commit = component["Details"]?["GitCommit"]?.string, !commit.isEmpty { add(2, "GitCommit", commit) }
        }
        return text
    }
}

/// What `masu info` prints.
struct InfoReport {
    let server: JSONValue?
    let client: ClientReport

    var text: String {
        var text = client.text + "\nServer:\n"
        guard let server else { return text }
        func shown(_ value: JSONValue?) -> String { value.map(TemplateText.shown) ?? "" }
        func add(_ indent: Int, _ name: String, _ value: String) {
            text += String(repeating: " ", count: indent) + "\(name): \(value)\n"
        }
        func plain(_ name: String, _ key: String) { add(1, name, shown(server[key])) }
        func list(_ key: String) -> String { (server[key]?.array ?? []).map(TemplateText.shown).joined(separator: " ") }

        plain("Containers", "Containers")
        add(2, "Running", shown(server["ContainersRunning"]))
        add(2, "Paused", shown(server["ContainersPaused"]))
        add(2, "Stopped", shown(server["ContainersStopped"]))
        plain("Images", "Images")
        plain("Server Version", "ServerVersion")
        plain("Storage Driver", "Driver")
        for pair in server["DriverStatus"]?.array ?? [] { add(2, shown(pair[0]), shown(pair[1])) }
        plain("Logging Driver", "LoggingDriver")
        plain("Cgroup Driver", "CgroupDriver")
        plain("Cgroup Version", "CgroupVersion")
        text += " Plugins:\n"
        for kind in ["Volume", "Network", "Log"] {
            let names = (server["Plugins"]?[kind]?.array ?? []).map(TemplateText.shown)
            if !names.isEmpty { add(2, kind, names.joined(separator: " ")) }
        }
        if let directories = server["CDISpecDirs"]?.array, !directories.isEmpty {
            text += " CDI spec directories:\n" + directories.map { "  \(shown($0))\n" }.joined()
        }
        if let devices = server["DiscoveredDevices"]?.array, !devices.isEmpty {
            text += " Discovered Devices:\n"
            for device in devices { add(2, shown(device["Source"]), shown(device["ID"])) }
        }
        add(1, "Runtimes", (server["Runtimes"]?.object?.keys.sorted() ?? []).joined(separator: " "))
        plain("Default Runtime", "DefaultRuntime")
        plain("Init Binary", "InitBinary")
        if let options = server["SecurityOptions"]?.array, !options.isEmpty {
            text += " Security Options:\n"
            for option in options {
                for part in shown(option).split(separator: ",") {
                    let (key, value, _) = KeyValueTexts.divide(String(part))
                    text +=
                        key == "name"
                        ? "  \(value)\n" : "   \(key.prefix(1).uppercased() + key.dropFirst()): \(value)\n"
                }
            }
        }
        plain("Kernel Version", "KernelVersion")
        plain("Operating System", "OperatingSystem")
        plain("OSType", "OSType")
        plain("Architecture", "Architecture")
        plain("CPUs", "NCPU")
        add(1, "Total Memory", HumanText.binarySize(server["MemTotal"]?.double ?? 0))
        plain("Name", "Name")
        plain("ID", "ID")
        plain("Docker Root Dir", "DockerRootDir")
        plain("Debug Mode", "Debug")
        if !list("Labels").isEmpty { add(1, "Labels", list("Labels")) }
        plain("Experimental", "ExperimentalBuild")
        plain("Live Restore Enabled", "LiveRestoreEnabled")
        let pools = server["DefaultAddressPools"]?.array ?? []
        if !pools.isEmpty { text += " Default Address Pools:\n" }
        for pool in pools {
            text += "   Base: \(shown(pool["Base"])), Size: \(pool["Size"]?.int ?? 0)\n"
        }
        if let firewall = server["FirewallBackend"]?.object {
            add(1, "Firewall Backend", shown(firewall["Driver"]))
            for pair in firewall["Info"]?.array ?? [] { add(2, shown(pair[0]), shown(pair[1])) }
        }
        for warning in server["Warnings"]?.array ?? [] { text += shown(warning) + "\n" }
        return text
    }
}
