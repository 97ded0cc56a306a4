import Flags
import Glibc
import JSON

/// What the daemon and the user's files have for the place of a ``CompletionRequest``.
package enum CompletionSource: Hashable, Sendable {
    /// Names of containers in one of some states; in any if there are none.
    case containers(Set<String>)
    case images, networks, volumes, contexts, runtimes, plugins
    /// Names of variables of the environment.
    case variables
    /// Names of this program's commands.
    case commands
    /// Some words.
    case words([String])
    case files, directories

    /// Where the candidates for a place come from.
    package static func sources(for request: CompletionRequest) -> [CompletionSource] {
        switch request.place {
        case .command, .flag, .plugin: return []
        case .value(let flag, _): return ofFlag(flag, request.commandName)
        case .operand(let number): return ofOperand(number, request)
        }
    }

    private static func ofFlag(_ flag: String, _ command: String) -> [CompletionSource] {
        // The short form of a flag can stand before an equals sign.
        switch flag {
        case "network", "net": return [.networks, .words(["host", "none"])]
        case "volumes-from", "link", "cidfile-from": return [.containers([])]
        case "context", "c", "from": return [.contexts]
        case "env", "e": return [.variables]
        case "runtime": return [.runtimes]
        case "restart": return [.words(["always", "no", "on-failure", "unless-stopped"])]
        case "pull": return [.words(["always", "missing", "never"])]
        case "attach", "a": return [.words(["stderr", "stdin", "stdout"])]
        case "platform":
            return [.words(["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/s390x"])]
        case "signal", "s", "stop-signal":
            return [.words(["HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2", "WINCH"].map { "SIG" + $0 })]
        case "log-driver": return [.words(["json-file", "none"])]
        case "log-level", "l": return [.words(["debug", "info", "warn", "error", "fatal"])]
        case "type" where command == "inspect": return [.words(InspectCommands.typeNames)]
        case "format": return [.words(["json", "table"])]
        case "cgroupns", "userns", "uts": return [.words(flag == "cgroupns" ? ["host", "private"] : ["host"])]
        case "ipc": return [.words(["host", "none", "private", "shareable"])]
        case "pid": return [.words(["host"])]
        case "driver" where command == "network create":
            return [.words(["bridge", "ipvlan", "macvlan"])]
        case "security-opt":
            return [.words(["apparmor=", "no-new-privileges", "seccomp=", "systempaths=unconfined"])]
        case "env-file", "label-file", "cidfile", "input", "i", "output", "o", "iidfile", "file", "H", "host":
            return [.files]
        case "volume", "v", "mount": return [.volumes, .files]
        case "config": return [.directories]
        default: return []
        }
    }

    private static func ofOperand(_ number: Int, _ request: CompletionRequest) -> [CompletionSource] {
        let name = request.commandName
        let verb = name.removing(prefix: "container ") ?? name.removing(prefix: "image ") ?? name
        switch name {
        case "network connect", "network disconnect":
            return number == 0 ? [.networks] : number == 1 ? [.containers([])] : []
        case "network rm", "network inspect": return [.networks]
        case "volume rm", "volume inspect": return [.volumes]
        case "context use", "context update", "context export": return number == 0 ? [.contexts] : []
        case "context rm", "context inspect": return [.contexts]
        case "context import": return number == 1 ? [.files] : []
        case "image rm", "image inspect": return [.images]
        case "plugin rm", "plugin inspect", "plugin enable", "plugin disable": return [.plugins]
        case "checkpoint create": return number == 0 ? [.containers(["running"])] : []
        case "checkpoint ls", "checkpoint rm": return number == 0 ? [.containers([])] : []
        case "inspect": return [.containers([]), .images, .networks, .volumes]
        case "help": return number == 0 ? [.commands] : []
        case "login", "logout", "search", "version", "info", "events": return []
        default: break
        }
        switch verb {
        case "attach", "exec", "top", "port": return number == 0 ? [.containers(["running"])] : []
        case "kill", "pause", "stop", "stats": return [.containers(["running"])]
        case "unpause": return [.containers(["paused"])]
        case "start": return [.containers(["created", "exited"])]
        case "logs", "export", "diff", "rename", "commit": return number == 0 ? [.containers([])] : []
        case "restart", "rm", "update", "wait", "inspect": return [.containers([])]
        case "cp": return [.containers([]), .files]
        case "run", "create": return number == 0 ? [.images] : []
        case "history", "push", "images", "ls", "pull", "tag": return number == 0 ? [.images] : []
        case "rmi", "save": return [.images]
        case "import", "load": return [.files]
        default: return []
        }
    }

    /// The words that the source has; none where it cannot be asked.
    func words(_ flags: ParsedFlags) -> [String] {
        switch self {
        case .files, .directories: return []
        case .words(let words): return words
        case .variables:
            var names: [String] = []
            var next = environ
            while let entry = next.pointee {
                names.append(String(String(cString: entry).prefix { $0 != "=" }))
                next += 1
            }
            return names.sorted()
        case .commands: return MasuProgram.root.subcommands().filter { !$0.isHidden }.map(\.name)
        case .contexts:
            // Without contexts there are no words for them.
            return ((try? ContextStore.user.all().map(\.name)) ?? []) + [StoredContext.standardName]
        case .containers(let states):
            return ask("/containers/json", [("all", "1")], flags).filter {
                states.isEmpty || states.contains($0["State"]?.string ?? "")
            }.flatMap { container in
                (container["Names"]?.array ?? []).compactMap { $0.string?.removing(prefix: "/") }
                    .filter { !$0.contains("/") }
            }
        case .images:
            return ask("/images/json", [], flags).flatMap { $0["RepoTags"]?.array ?? [] }.compactMap(\.string)
                .filter { $0 != "<none>:<none>" }
        case .networks: return ask("/networks", [], flags).compactMap { $0["Name"]?.string }
        case .plugins: return ask("/plugins", [], flags).compactMap { $0["Name"]?.string }
        case .volumes:
            return (value("/volumes", [], flags)?["Volumes"]?.array ?? []).compactMap { $0["Name"]?.string }
        case .runtimes: return value("/info", [], flags)?["Runtimes"]?.object?.keys ?? []
        }
    }

    private func ask(_ path: String, _ query: [(String, String?)], _ flags: ParsedFlags) -> [JSONValue] {
        value(path, query, flags)?.array ?? []
    }

    private func value(_ path: String, _ query: [(String, String?)], _ flags: ParsedFlags) -> JSONValue? {
        // Whoever presses the tabulator is not told that there is no daemon.
        try? DaemonClient(DaemonClient.address(flags)).value(HTTPRequest("GET", path, query: query))
    }
}
