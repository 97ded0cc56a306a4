import Flags

/// What TLS to a daemon needs: paths of files in PEM.
package struct TLSMaterial: Hashable, Sendable {
    /// Certificates of the only authorities that may have signed the daemon's; nil for those of this machine.
    package var authority: String?
    /// What is shown to a daemon that asks who is there.
    package var certificate: String?
    /// The certificate's private key.
    package var key: String?
    /// Whether it matters who has signed the daemon's certificate, and for which host.
    package var verifies: Bool

    /// The names of the files, in a directory of certificates and in a context.
    static let fileNames = (authority: "ca.pem", certificate: "cert.pem", key: "key.pem")

    /// Material by its paths.
    package init(authority: String?, certificate: String?, key: String?, verifies: Bool) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.verifies = verifies
    }

    /// What flags and environment ask for; nil where they do not ask for TLS.
    ///
    /// - Throws: ``CommandError`` in docker's words for a file that cannot be read.
    package init?(_ flags: ParsedFlags, in surroundings: DaemonSelection.Surroundings) throws(CommandError) {
        func isSet(_ variable: String) -> Bool { surroundings.environment(variable)?.isEmpty == false }
        // Whether the flag says true or false, who gives it wants TLS.
        let mentionsVerification = flags.isSet(GlobalFlags.tlsVerify)
        let verifies = mentionsVerification ? flags[GlobalFlags.tlsVerify] : isSet("DOCKER_TLS_VERIFY")
        let isAsked = flags.isSet(GlobalFlags.tls) ? flags[GlobalFlags.tls] : isSet("DOCKER_TLS")
        guard isAsked || verifies || mentionsVerification else { return nil }
        let given = surroundings.environment("DOCKER_CERT_PATH") ?? ""
        let directory = given.isEmpty ? surroundings.directory() : given
        func path(_ flag: Flag<String>, _ name: String, isOptional: Bool) -> String? {
            if let text = flags.given(flag) {
                let path = Self.unquoted(text)
                return path.isEmpty ? nil : path
            }
            let path = "\(directory)/\(name)"
            return isOptional && !LocalFile.exists(path) ? nil : path
        }
        let authority = path(GlobalFlags.tlsAuthority, Self.fileNames.authority, isOptional: false)
        let certificate = path(GlobalFlags.tlsCertificate, Self.fileNames.certificate, isOptional: true)
        let key = path(GlobalFlags.tlsKey, Self.fileNames.key, isOptional: true)
        self.init(authority: authority, certificate: certificate, key: key, verifies: verifies)
        do throws(CommandError) {
            for file in files { _ = try LocalFile.read(file.path) }
        } catch {
            throw CommandError("Failed to initialize: unable to resolve docker endpoint: \(error.message)")
        }
    }

    /// What a stored context has; nil where its daemon is reached without TLS.
    init?(_ context: StoredContext, in store: ContextStore) {
        let names = Set((context.secrets[StoredContext.endpoint] ?? []).map(\.name))
        guard !names.isEmpty || context.skipsTLSVerify else { return nil }
        func path(_ name: String) -> String? {
            names.contains(name) ? "\(store.secretsPath(context.name))/\(StoredContext.endpoint)/\(name)" : nil
        }
        self.init(
            authority: path(Self.fileNames.authority), certificate: path(Self.fileNames.certificate),
            key: path(Self.fileNames.key), verifies: !context.skipsTLSVerify)
    }

    /// The files with their names in a context.
    var files: [(name: String, path: String)] {
        [
            (Self.fileNames.authority, authority), (Self.fileNames.certificate, certificate), (Self.fileNames.key, key),
        ].compactMap { name, path in path.map { (name, $0) } }
    }

    /// A path as programs without a shell give it, in quotation marks that are meant for one.
    private static func unquoted(_ text: String) -> String {
        guard text.utf8.count > 1, let first = text.first, first == text.last, first == "\"" || first == "'" else {
            return text
        }
        return String(text.dropFirst().dropLast())
    }

    /// The command line of `masu-tls` for a daemon on a host, without the program.
    func arguments(host: String) -> [String] {
        var words = ["--tlsverify=\(verifies)"]
        if let authority { words += ["--tlscacert", authority] }
        if let certificate, let key { words += ["--tlscert", certificate, "--tlskey", key] }
        return words + ["--", host]
    }
}
