import EngineAPIModel
import Glibc
import JSON
import LinuxKernel
import SystemPackage
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

    private func run(_ verb: String, _ input: [UInt8]) throws(CommandError) -> (status: Int32, output: [UInt8]) {
        let inlet: (reading: FileDescriptor, writing: FileDescriptor)
        let outlet: (reading: FileDescriptor, writing: FileDescriptor)
        do throws(Errno) {
            inlet = try FileDescriptor.makePipe()
            outlet = try FileDescriptor.makePipe()
        } catch {
            throw CommandError("cannot make a pipe: \(Console.words(error.rawValue))")
        }
        defer { close(outlet.reading.rawValue) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, inlet.reading.rawValue, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, outlet.writing.rawValue, STDOUT_FILENO)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program), strdup(verb), nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, program, &actions, nil, &arguments, environ)
        close(inlet.reading.rawValue)
        close(outlet.writing.rawValue)
        guard code == 0 else {
            close(inlet.writing.rawValue)
            throw CommandError(
                "error getting credentials - err: exec: \"\(program)\": "
                    + (code == ENOENT ? "executable file not found in $PATH" : Console.words(code)) + ", out: ``")
        }
        // What is asked fits into a pipe's buffer. A helper may end without reading it; its exit status says so.
        let disposition = signal(SIGPIPE, SIG_IGN)
        _ = write(inlet.writing.rawValue, input, input.count)
        signal(SIGPIPE, disposition)
        close(inlet.writing.rawValue)
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(outlet.reading.rawValue, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            output += chunk[..<count]
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return (status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f, output)
    }
}
