import Flags
import JSON
import Text

/// `inspect` in its three forms.
enum InspectCommands {
    private static let size = Flag.boolean("size", short: "s", "Display total file sizes if the type is container")
    private static let platform = Flag.string(
        "platform", "Inspect a specific platform of the multi-platform image: 'os[/arch[/variant]]'")
    private static let verbose = Flag.boolean("verbose", short: "v", "Verbose output for diagnostics")
    private static let type = Flag.string("type", "Only inspect objects of the given type")

    static let any = Command(
        "inspect", operands: "NAME|ID [NAME|ID...]", arity: .atLeast(1),
        "Return low-level information on containers, images, networks and other objects",
        discussion: "Print all that the daemon knows about these objects, as JSON or through a template.",
        examples: [
            .init("Print the process id of a container", "masu inspect -f '{{.State.Pid}}' web"),
            .init("Print all mounts as JSON", "masu inspect -f '{{json .Mounts}}' web"),
        ],
        flags: { [FormatFlags.object, size, type] },
        action: { invocation in
            let wanted = invocation.flags[type]
            guard !wanted.isEmpty || !invocation.flags.isSet(type) else {
                throw CommandError("type is empty: must be one of \(typeList)")
            }
            let kinds = wanted.isEmpty ? Kind.allCases : Kind.allCases.filter { $0.rawValue == wanted }
            guard !kinds.isEmpty else {
                throw CommandError("unknown type: \"\(wanted)\": must be one of \(typeList)")
            }
            return try run(invocation, kinds)
        })

    /// The words that `--type` takes.
    static var typeNames: [String] { Kind.allCases.map(\.rawValue).sorted() }
    private static var typeList: String { typeNames.map { "\"\($0)\"" }.joined(separator: ", ") }

    static let container = Command(
        "inspect", operands: "CONTAINER [CONTAINER...]", arity: .atLeast(1),
        "Display detailed information on one or more containers",
        examples: [.init("Print the exit code of a container", "masu container inspect -f '{{.State.ExitCode}}' job")],
        flags: { [FormatFlags.object, size] }, action: { try run($0, [.container]) })

    static let image = Command(
        "inspect", operands: "IMAGE [IMAGE...]", arity: .atLeast(1),
        "Display detailed information on one or more images",
        examples: [.init("Print the command of an image", "masu image inspect -f '{{.Config.Cmd}}' debian")],
        flags: { [FormatFlags.object, platform] }, action: { try run($0, [.image]) })

    static let network = Command(
        "inspect", operands: "NETWORK [NETWORK...]", arity: .atLeast(1),
        "Display detailed information on one or more networks",
        examples: [
            .init(
                "Print the subnets of a network",
                "masu network inspect -f '{{range .IPAM.Config}}{{.Subnet}}{{end}}' front")
        ],
        flags: { [FormatFlags.object, verbose] }, action: { try run($0, [.network]) })

    static let volume = Command(
        "inspect", operands: "VOLUME [VOLUME...]", arity: .atLeast(1),
        "Display detailed information on one or more volumes",
        examples: [.init("Print where a volume's files are", "masu volume inspect -f '{{.Mountpoint}}' data")],
        flags: { [FormatFlags.object] }, action: { try run($0, [.volume]) })

    static let plugin = Command(
        "inspect", operands: "PLUGIN [PLUGIN...]", arity: .atLeast(1),
        "Display detailed information on one or more plugins",
        flags: { [FormatFlags.object] }, action: { try run($0, [.plugin]) })

    /// In the order in which a name is looked for.
    private enum Kind: String, CaseIterable {
        case container
        case image
        case network
        case volume
        case service
        case task
        case node
        case plugin
        case secret
        case config

        /// Whether only a swarm has such objects.
        var needsSwarm: Bool {
            switch self {
            case .service, .task, .node, .secret, .config: true
            case .container, .image, .network, .volume, .plugin: false
            }
        }

        func path(_ name: String) -> String {
            switch self {
            case .container: ContainerCommands.path(name, "/json")
            case .image: ImageCommands.path(name, "/json")
            case .network: NetworkCommands.path(name)
            case .volume: VolumeCommands.path(name)
            case .plugin: ManagedPluginCommands.path(name, "/json")
            case .service, .task, .node, .secret, .config: "/\(rawValue)s/\(PercentEncoding.encode(name))"
            }
        }
    }

    private static func run(_ invocation: Invocation, _ kinds: [Kind]) throws -> Int32 {
        let client = try DaemonClient(invocation)
        return try show(invocation.operands, format: invocation.flags[FormatFlags.object]) { name in
            do {
                return try fetch(name, kinds, invocation.flags, client)
            } catch let error as CommandError {
                throw Unreachable(error: error)
            }
        }
    }

    /// Why nothing at all can be said about any object.
    private struct Unreachable: Error {
        let error: CommandError
    }

    /// Prints objects as JSON or through a template, and says which could not be found.
    ///
    /// - Parameter find: the object of a name.
    static func show(_ names: [String], format: String, find: (String) throws -> JSONValue) throws -> Int32 {
        let template = try template(format)
        var found: [JSONValue] = []
        var complaints: [String] = []
        for name in names {
            do {
                found.append(try find(name))
            } catch let error as Unreachable {
                throw error.error
            } catch let error as NotFound {
                complaints.append(error.description)
            } catch {
                complaints.append(describe(error))
            }
        }
        if let template {
            for object in found {
                let text: String
                do {
                    text = try template.rendered(object)
                } catch {
                    complaints.append("template parsing error: \(error.description)")
                    continue
                }
                try Console.print(text)
            }
        } else if format == "json" {
            try Console.print(JSONValue.array(found).text())
        } else {
            try Console.print(JSONValue.array(found).text(pretty: true))
        }
        for complaint in complaints { Console.complain(complaint) }
        return complaints.isEmpty ? 0 : 1
    }

    /// Fields that the daemon leaves out when they are empty: a template may ask for them all the same.
    private static let omittedWhenEmpty: [String: JSONValue] = [
        "Annotations": [:], "Author": "", "Cmd": [], "Comment": "", "Created": "", "Descriptor": nil,
        "DockerVersion": "", "Entrypoint": [], "Env": [], "ExposedPorts": [:], "Health": nil, "Healthcheck": nil,
        "Init": nil, "Labels": [:], "MacAddress": "", "Mounts": [], "NetworkDisabled": false, "OnBuild": [],
        "OsVersion": "", "Parent": "", "Runtime": "", "Shell": [], "SizeRootFs": nil, "SizeRw": nil, "Status": [:],
        "StopSignal": "", "StopTimeout": nil, "StorageOpt": [:], "Sysctls": [:], "Tmpfs": [:], "UsageData": nil,
        "User": "", "Variant": "", "Volumes": [:], "WorkingDir": "",
    ]

    private struct NotFound: Error {
        let description: String
    }

    private static func template(_ format: String) throws -> Template? {
        guard !format.isEmpty, format != "json" else { return nil }
        do {
            return try Template(parsing: Listing.unescaped(format), missing: .omitted(omittedWhenEmpty))
        } catch {
            throw CommandError("template parsing error: \(error.description)", status: 64)
        }
    }

    private static func fetch(
        _ name: String, _ kinds: [Kind], _ flags: ParsedFlags, _ client: DaemonClient
    ) throws -> JSONValue {
        let size = flags[size]
        var hasSwarm = true
        for kind in kinds where hasSwarm || !kind.needsSwarm {
            do {
                let query: [(String, String?)] = [
                    ("size", size && kind == .container ? "1" : nil),
                    ("verbose", kind == .network && flags[verbose] ? "true" : nil),
                    ("platform", kind == .image ? try flags.given(platform).map(PlatformText.encoded) : nil),
                ]
                let object = try client.value(HTTPRequest("GET", kind.path(name), query: query))
                if size, kind != .container { Console.complain("WARNING: --size ignored for \(kind.rawValue)") }
                return object
            } catch let error as DaemonError where kinds.count > 1 {
                if kind.needsSwarm, error.httpStatus == 503 {
                    hasSwarm = false
                } else if error.httpStatus != 404, !error.message.holds("not supported"),
                    !error.message.holds("invalid reference format")
                {
                    throw error
                }
            }
        }
        throw NotFound(description: "Error: No such object: \(name)")
    }
}
