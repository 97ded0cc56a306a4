import CNI
import Glibc
import JSON
import LinuxKernel
import SystemPackage
import TemporaryDirectories
import Testing

/// Plugins that are shell scripts. Each writes down how it was called, and then does what the test says.
final class FakePlugins: Sendable {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        for name in ["bin", "calls", "net.d"] { try Files.makeDirectory(directory.path.appending(name)) }
    }

    var programs: FilePath { directory.path.appending("bin") }
    var configurations: ConfigurationDirectory { ConfigurationDirectory(directory.path.appending("net.d")) }

    /// A plugin that answers VERSION with these versions, and what `script` says of everything else.
    func add(
        _ name: String, versions: [String] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"], _ script: String = ""
    ) throws {
        let list = versions.map { "\"\($0)\"" }.joined(separator: ", ")
        try addScript(
            name,
            """
            if [ "$CNI_COMMAND" = VERSION ]; then
                echo '{"cniVersion": "1.0.0", "supportedVersions": [\(list)]}'; exit 0
            fi
            \(script)
            """)
    }

    /// A plugin that does this after it has written down the call.
    func addScript(_ name: String, _ script: String) throws {
        let here = directory.path.string
        try directory.write(
            "bin/\(name)",
            """
            #!/bin/sh
            number=$(ls \(here)/calls | wc -l)
            {
                for name in COMMAND CONTAINERID NETNS IFNAME ARGS PATH; do
                    eval "value=\\$CNI_$name"; echo "$name=$value"
                done
                echo "type=\(name)"
                cat
            } > \(here)/new
            mv \(here)/new \(here)/calls/$(printf %03d $number)
            cd \(here)
            \(script)
            """)
        #expect(chmod(programs.appending(name).string, 0o755) == 0)
    }

    /// One call of a plugin.
    struct Call {
        let variables: [String: String]
        let document: JSONValue
        var words: String { "\(variables["COMMAND"] ?? "") \(variables["type"] ?? "")" }
    }

    /// All calls, but for VERSION, in their order.
    func calls(all: Bool = false) throws -> [Call] {
        let names = try Files.names(in: directory.path.appending("calls")).sorted()
        return try names.map { name in
            let text = try #require(directory.text("calls/\(name)"))
            var variables: [String: String] = [:]
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
            while let line = lines.first, line.hasPrefix("{") == false {
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                variables[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
                lines.removeFirst()
            }
            return Call(variables: variables, document: try JSON.parse(lines.joined(separator: "\n")))
        }.filter { all || $0.variables["COMMAND"] != "VERSION" }
    }

    func words() throws -> [String] { try calls().map(\.words) }

    func plugins(timeLimit: Duration = .seconds(300)) -> NetworkPlugins {
        NetworkPlugins(directories: ["/nonexistent", programs], timeLimit: timeLimit)
    }

    static func list(_ text: String) throws -> NetworkConfigurationList {
        try NetworkConfigurationList(list: JSON.parse(text))
    }

    /// A network of these plugins.
    static func list(_ types: [String], version: String = "1.0.0", _ more: String = "") throws
        -> NetworkConfigurationList
    {
        let plugins = types.map { "{\"type\": \"\($0)\"}" }.joined(separator: ", ")
        return try list("{\"cniVersion\": \"\(version)\", \"name\": \"front\", \"plugins\": [\(plugins)]\(more)}")
    }

    static func parameters(
        namespace: FilePath = "/proc/self/ns/net", arguments: [AttachmentParameters.Argument] = [],
        _ capabilities: [Capability] = []
    ) throws -> AttachmentParameters {
        try AttachmentParameters(
            container: "c1", namespace: namespace, interface: "eth0", arguments: arguments, capabilities: capabilities)
    }

    /// What `add` throws; the test fails if it throws nothing.
    func failure(
        _ list: NetworkConfigurationList, _ plugins: NetworkPlugins? = nil
    ) throws -> CNIError {
        let plugins = plugins ?? self.plugins()
        do {
            var record = try plugins.prepare(list, try Self.parameters())
            try plugins.add(&record)
        } catch let error as CNIError {
            return error
        }
        throw Unexpected()
    }

    struct Unexpected: Error {}
}
