import JSON
import OCISpec
import Text

/// One instruction of `docker import --change`: those of a Dockerfile that only touch the configuration.
struct ImageChange {
    private let instruction: String
    private let arguments: String

    /// Reads `CMD ["sh"]`, `ENV A=b C="d e"`, …; the instruction in any case.
    init(parsing line: String) throws(ImagesError) {
        let trimmed = line.trimmed
        let name = trimmed.prefix { !$0.isWhitespace }
        instruction = name.uppercased()
        arguments = String(trimmed.dropFirst(name.count)).trimmed
        guard Self.known.contains(instruction) else {
            throw ImagesError(.invalid, "\(instruction.isEmpty ? line : instruction) is not a valid change command")
        }
        guard !arguments.isEmpty else {
            throw ImagesError(.invalid, "\(instruction) requires at least one argument")
        }
    }

    private static let known: Set<String> = [
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME",
        "WORKDIR",
    ]

    /// Whether it says what containers run by default.
    var setsCommand: Bool { instruction == "CMD" }

    /// Makes the change. Variables in it are those that the configuration has so far.
    ///
    /// - Parameter keepsCommand: whether an entry point leaves the command as it is, which was meant for another one.
    func apply(to process: inout ImageProcess, keepsCommand: Bool) throws(ImagesError) {
        let words = ShellWords(environment: process.env ?? [])
        switch instruction {
        case "CMD": process.cmd = command(arguments)
        case "ENTRYPOINT":
            process.entrypoint = command(arguments)
            if !keepsCommand { process.cmd = nil }
        case "ENV":
            for (name, value) in try pairs(words) {
                process.env = (process.env ?? []).filter { !$0.hasPrefix(name + "=") } + ["\(name)=\(value)"]
            }
        case "LABEL":
            for (name, value) in try pairs(words) {
                process.labels = (process.labels ?? [:]).merging([name: value]) { $1 }
            }
        case "EXPOSE":
            var ports = process.exposedPorts ?? []
            for word in try words.split(arguments) { ports.names.formUnion(try Self.ports(word)) }
            process.exposedPorts = ports
        case "HEALTHCHECK": process.healthcheck = try healthcheck()
        case "ONBUILD":
            let trigger = arguments.prefix { !$0.isWhitespace }.uppercased()
            if ["ONBUILD", "FROM", "MAINTAINER"].contains(trigger) {
                throw ImagesError(.invalid, "\(trigger) isn't allowed as an ONBUILD trigger")
            }
            process.onBuild = (process.onBuild ?? []) + [arguments]
        case "STOPSIGNAL": process.stopSignal = try words.word(arguments)
        case "USER": process.user = try words.word(arguments)
        case "VOLUME":
            var volumes = process.volumes ?? []
            let list = command(arguments, isShell: false)
            let paths = if let list { try words.each(list) } else { try words.split(arguments) }
            for path in paths {
                guard !path.isEmpty else { throw ImagesError(.invalid, "VOLUME specified can not be an empty string") }
                volumes.names.insert(path)
            }
            process.volumes = volumes
        default: process.workingDir = Self.joined(process.workingDir ?? "/", try words.word(arguments))
        }
    }

    /// The JSON form as it is; the shell form as an argument of a shell.
    private func command(_ text: String) -> [String] { command(text, isShell: true) ?? [] }

    private func command(_ text: String, isShell: Bool) -> [String]? {
        // What is no list of strings is a command for the shell, as in a Dockerfile.
        if text.hasPrefix("["), let list = try? JSON.decode([String].self, from: Array(text.utf8)) { return list }
        return isShell ? ["/bin/sh", "-c", text] : nil
    }

    /// `A=b C="d e"`, or the old form `A b c`, which is one pair.
    private func pairs(_ words: ShellWords) throws(ImagesError) -> [(String, String)] {
        let first = arguments.prefix { !$0.isWhitespace }
        guard first.contains("=") else {
            let value = String(arguments.dropFirst(first.count)).trimmed
            guard !value.isEmpty else { throw ImagesError(.invalid, "\(instruction) must have two arguments") }
            return [(try words.word(String(first)), try words.word(value))]
        }
        let list = try words.split(arguments)
        var pairs: [(String, String)] = []
        for word in list {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw ImagesError(
                    .invalid, "Syntax error - can't find = in \"\(word)\". Must be of the form: name=value")
            }
            pairs.append((String(word[..<equals]), String(word[word.index(after: equals)...])))
        }
        return pairs
    }

    /// `80`, `53/udp`, `8000-8010/tcp`.
    private static func ports(_ text: String) throws(ImagesError) -> [String] {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let proto = parts.count == 2 ? parts[1].lowercased() : "tcp"
        let bounds = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { UInt16($0) }
        guard ["tcp", "udp", "sctp"].contains(proto) else { throw ImagesError(.invalid, "invalid proto: \(proto)") }
        guard let low = bounds[0], let high = bounds[bounds.count - 1], low <= high else {
            throw ImagesError(.invalid, "invalid containerPort: \(parts[0])")
        }
        return (low...high).map { "\($0)/\(proto)" }
    }

    private func healthcheck() throws(ImagesError) -> ImageProcess.Healthcheck {
        var check = ImageProcess.Healthcheck()
        var rest = arguments
        while rest.hasPrefix("--") {
            let option = rest.prefix { !$0.isWhitespace }
            rest = String(rest.dropFirst(option.count)).trimmed
            guard let equals = option.firstIndex(of: "=") else {
                throw ImagesError(.invalid, "missing a value on flag: \(option)")
            }
            let value = String(option[option.index(after: equals)...])
            switch option[..<equals] {
            case "--interval": check.interval = try Self.nanoseconds(value)
            case "--timeout": check.timeout = try Self.nanoseconds(value)
            case "--start-period": check.startPeriod = try Self.nanoseconds(value)
            case "--start-interval": check.startInterval = try Self.nanoseconds(value)
            case "--retries":
                guard let retries = Int(value), retries >= 0 else {
                    throw ImagesError(.invalid, "--retries must be a number of 0 or more (got \(value))")
                }
                check.retries = retries
            default: throw ImagesError(.invalid, "unknown flag: \(option[..<equals])")
            }
        }
        let kind = rest.prefix { !$0.isWhitespace }.uppercased()
        let command = String(rest.dropFirst(kind.count)).trimmed
        switch kind {
        case "NONE" where command.isEmpty: check.test = ["NONE"]
        case "CMD" where !command.isEmpty:
            check.test = self.command(command, isShell: false).map { ["CMD"] + $0 } ?? ["CMD-SHELL", command]
        default: throw ImagesError(.invalid, "Unknown type \"\(kind)\" in HEALTHCHECK (try CMD)")
        }
        return check
    }

    private static func nanoseconds(_ text: String) throws(ImagesError) -> Int64 {
        do throws(GoDuration.Invalid) {
            return try GoDuration.nanoseconds(text)
        } catch {
            throw ImagesError(.invalid, error.reason)
        }
    }

    /// A path as seen from another, without `.` and `..`.
    private static func joined(_ base: String, _ path: String) -> String {
        var parts: [Substring] = []
        for part in ((path.hasPrefix("/") ? "" : base + "/") + path).split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}

extension ImageProcess {
    /// Makes the changes that `--change` of import and commit asks for: instructions of a Dockerfile that only touch
    /// the configuration.
    package mutating func apply(_ changes: [String]) throws(ImagesError) {
        var hasCommand = false
        for change in changes {
            let change = try ImageChange(parsing: change)
            hasCommand = hasCommand || change.setsCommand
            try change.apply(to: &self, keepsCommand: hasCommand)
        }
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else {
            return ""
        }
        return String(self[first...last])
    }
}
