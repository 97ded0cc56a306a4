import EngineAPIModel
import JSON

/// A `-v` of docker's short form.
package enum VolumeText: Hashable, Sendable {
    /// `source:target[:options]`.
    case bind(String)
    /// A mount point of an anonymous volume.
    case anonymous(String)

    /// Tells the two apart and makes a relative source absolute (`./data:/data`); the daemon judges the rest.
    package init(parsing text: String) throws(CommandError) {
        guard !text.isEmpty else { throw CommandError("invalid empty volume spec") }
        guard let colon = text.firstIndex(of: ":") else {
            self = .anonymous(text)
            return
        }
        let source = String(text[..<colon])
        if source == "." || source == ".." || source.hasPrefix("./") || source.hasPrefix("../") {
            self = .bind(LocalFile.absolute(source) + text[colon...])
        } else if source == "~" || source.hasPrefix("~/"), let home = Console.environment("HOME") {
            self = .bind(home + source.dropFirst() + text[colon...])
        } else {
            self = .bind(text)
        }
    }
}

/// The `--security-opt`s, with what the client has to do about them.
struct SecurityOptionTexts {
    /// The options for the daemon; a seccomp profile's file has become its content.
    private(set) var options: [String] = []
    /// Whether `systempaths=unconfined` was among them.
    private(set) var showsSystemPaths = false

    init(_ texts: [String]) throws(CommandError) {
        for text in texts {
            if text == "systempaths=unconfined" {
                showsSystemPaths = true
                continue
            }
            let mark = text.firstIndex { $0 == "=" || $0 == ":" }
            let name = String(text[..<(mark ?? text.endIndex)])
            guard let mark else {
                guard name == "no-new-privileges" || name == "writable-cgroups" else {
                    throw CommandError("Invalid --security-opt: \"\(text)\"")
                }
                options.append(text)
                continue
            }
            let value = String(text[text.index(after: mark)...])
            if name == "seccomp", value != "unconfined", value != "builtin" {
                options.append("seccomp=\(try Self.profile(value))")
            } else {
                options.append(text)
            }
        }
    }

    private static func profile(_ path: String) throws(CommandError) -> String {
        let content: [UInt8]
        do {
            content = try LocalFile.read(path)
        } catch {
            throw CommandError("opening seccomp profile (\(path)) failed: \(error.message)")
        }
        do {
            return try JSON.parse(content).text()
        } catch {
            throw CommandError("compacting json for seccomp profile (\(path)) failed: \(error)")
        }
    }
}

/// Client-side knowledge about image references; the daemon has the last word.
package enum ImageText {
    /// The reference with its tag, as messages show it: `debian` becomes `debian:latest`.
    package static func familiar(_ text: String) -> String {
        if text.contains("@") { return text }
        let last = text.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        return last.contains(":") ? text : text + ":latest"
    }

    /// Refuses what cannot be a reference before the daemon is asked.
    package static func check(_ text: String) throws(CommandError) {
        guard !text.isEmpty else { throw CommandError("invalid reference format") }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let hasHost = parts.count > 1 && (parts[0].contains { $0 == "." || $0 == ":" } || parts[0] == "localhost")
        let path = parts[(hasHost ? 1 : 0)...].joined(separator: "/")
        let name = path.prefix { $0 != ":" && $0 != "@" }
        guard name.contains(where: \.isUppercase) else { return }
        let shown = hasHost || parts.count > 1 ? String(name) : "library/\(name)"
        throw CommandError("invalid reference format: repository name (\(shown)) must be lowercase")
    }
}
