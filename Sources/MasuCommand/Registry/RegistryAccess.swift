import Base64
import EngineAPIModel
import Flags
import JSON

/// What the daemon needs to ask a registry in the user's name.
enum RegistryAccess {
    /// The registry of an image name.
    static func server(of image: String) -> String {
        guard let slash = image.firstIndex(of: "/") else { return "docker.io" }
        let first = image[..<slash]
        return first.contains(".") || first.contains(":") || first == "localhost" ? String(first) : "docker.io"
    }

    /// The header `X-Registry-Auth`, if there are credentials for the registry of an image. Without them a public image
    /// can be had all the same, so a helper that is missing is a warning.
    static func header(for image: String) throws -> (String, String)? {
        let key = CredentialFile.key(server(of: image))
        let credentials: AuthConfig?
        do throws(CommandError) {
            credentials = try CredentialFile(ClientConfiguration.user).credentials(for: key)
        } catch {
            Console.complain("WARNING: \(error.message)")
            return nil
        }
        guard let config = credentials else { return nil }
        return ("X-Registry-Auth", Base64.encodeForURL(try JSON.encode(config)))
    }

    /// The full name of an image, as docker prints it after a pull.
    static func canonical(_ image: String) -> String {
        guard server(of: image) == "docker.io" else { return image }
        let rest = image.removing(prefix: "docker.io/") ?? image
        return "docker.io/" + (rest.contains("/") ? rest : "library/" + rest)
    }

    /// Has the daemon pull an image and shows how it goes.
    ///
    /// - Parameters:
    ///   - tag: beside a name without one; `nil` with all tags.
    ///   - descriptor: where to show it.
    static func pull(
        _ image: String, tag: String?, platform: String?, client: DaemonClient, isQuiet: Bool, on descriptor: Int32
    ) throws {
        var request = HTTPRequest(
            "POST", "/images/create", query: [("fromImage", image), ("tag", tag), ("platform", platform)])
        if let header = try header(for: image) { request.headers.append(header) }
        try ProgressPrinter(descriptor: descriptor, isQuiet: isQuiet).print(try client.open(request))
    }
}
