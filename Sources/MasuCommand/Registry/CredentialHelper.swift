import EngineAPIModel
import JSON
import Text

/// A program that keeps credentials: `docker-credential-NAME`, which speaks JSON on its standard streams.
struct CredentialHelper {
    private let program: String

    init(_ name: String) { program = "docker-credential-" + name }

    /// The credentials of a server, or `nil`.
    func get(_ server: String) throws(CommandError) -> AuthConfig? {
        let (status, output) = try run("get", Array(server.utf8))
        let text = String(decoding: output, as: UTF8.self).trimmingLineFeeds()
        guard status == 0 else {
            // The protocol's way of saying that there are none.
            if text.holds("credentials not found") { return nil }
            throw CommandError("error getting credentials - err: exit status \(status), out: `\(text)`")
        }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSON.parse(output)
        } catch {
            throw CommandError("\(program): \(error)")
        }
        var config = AuthConfig()
        config.serverAddress = server
        let user = document["Username"]?.string ?? ""
        let secret = document["Secret"]?.string ?? ""
        if user == "<token>" {
            config.identityToken = secret
        } else {
            config.username = user
            config.password = secret
        }
        return user.isEmpty && secret.isEmpty ? nil : config
    }

    func store(_ config: AuthConfig, _ server: String) throws(CommandError) {
        var entry = JSONObject()
        entry["ServerURL"] = .string(server)
        entry["Username"] = .string(config.identityToken.isEmpty ? config.username : "<token>")
        entry["Secret"] = .string(config.identityToken.isEmpty ? config.password : config.identityToken)
        try check("storing", run("store", JSONValue.object(entry).serialized(pretty: false)))
    }

    func erase(_ server: String) throws(CommandError) {
        try check("erasing", run("erase", Array(server.utf8)))
    }

    private func check(_ verb: String, _ result: (status: Int32, output: [UInt8])) throws(CommandError) {
        guard result.status != 0 else { return }
        let text = String(decoding: result.output, as: UTF8.self).trimmingLineFeeds()
        throw CommandError("error \(verb) credentials - err: exit status \(result.status), out: `\(text)`")
    }

    /// The servers that it has credentials of.
    func list() throws(CommandError) -> [String] {
        let result = try run("list", [])
        try check("listing", result)
        do throws(JSONError) {
            return (try JSON.parse(result.output).object ?? JSONObject()).keys
        } catch {
            throw CommandError("\(program): \(error)")
        }
    }

    private func run(_ verb: String, _ input: [UInt8]) throws(CommandError) -> (status: Int32, output: [UInt8]) {
        do throws(CommandError) {
            let answer = try ChildProcess.output(of: [program, verb], input: input)
            return (answer.status, answer.bytes)
        } catch {
            throw CommandError("error getting credentials - err: \(error.message), out: ``")
        }
    }
}
