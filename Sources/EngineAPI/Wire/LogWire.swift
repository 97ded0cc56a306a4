import Engine
import EngineAPIModel
import Text

extension LogSettings {
    /// Reads the API's `LogConfig`, or a daemon's `--log-driver` and `--log-opt`. The driver's name may be empty; then
    /// the options are for `standard`, the daemon's.
    ///
    /// - Throws: `APIError` (invalid) with Docker's words.
    package init(driver: String, options: [String: String], standard: LogDriver = .standard) throws {
        self.init()
        if !driver.isEmpty {
            guard let known = LogDriver(rawValue: driver) else {
                throw APIError.invalid("logger: no log driver named '\(driver)' is registered")
            }
            self.driver = known
        }
        switch self.driver ?? standard {
        // As dockerd: only docker's command line refuses options here.
        case .none: ignored = options
        case .jsonFile: for (name, value) in options.sorted(by: { $0.key < $1.key }) { try file.set(name, value) }
        }
    }

    /// As `inspect` shows the options.
    package var wireOptions: [String: String] {
        var options = ignored
        options["max-size"] = file.maxSize?.text
        options["max-file"] = file.maxFiles.map { "\($0)" }
        if !file.labels.isEmpty { options["labels"] = file.labels.joined(separator: ",") }
        options["labels-regex"] = file.labelsPattern?.text
        if !file.environment.isEmpty { options["env"] = file.environment.joined(separator: ",") }
        options["env-regex"] = file.environmentPattern?.text
        options["tag"] = file.tag
        options["mode"] = file.mode?.rawValue
        options["max-buffer-size"] = file.maxBufferSize?.text
        options["compress"] = file.compresses.map { $0 ? "true" : "false" }
        return options
    }
}

extension LogFileOptions {
    fileprivate mutating func set(_ name: String, _ value: String) throws {
        func names() -> [String] { value.split(separator: ",").map(String.init) }
        func size() throws -> Asked<ByteCount> {
            guard let bytes = ByteCount(text: value) else { throw APIError.invalid("invalid size: '\(value)'") }
            return Asked(bytes, words: value)
        }
        switch name {
        case "max-size": maxSize = value == "-1" ? Asked(ByteCount(0), words: value) : try size()
        case "max-file":
            guard let count = Int(value), count >= 1 else {
                throw APIError.invalid("max-file cannot be less than 1")
            }
            guard count <= Self.maximumFiles else {
                throw APIError.invalid("max-file cannot be more than \(Self.maximumFiles)")
            }
            maxFiles = count
        case "labels": labels = names()
        case "env": environment = names()
        case "labels-regex": labelsPattern = try GoRegularExpression(value, as: "log opt 'labels-regex'")
        case "env-regex": environmentPattern = try GoRegularExpression(value, as: "log opt 'env-regex'")
        case "tag": tag = value
        case "mode" where value.isEmpty: mode = nil
        case "mode":
            guard let known = LogMode(rawValue: value) else {
                throw APIError.invalid("logger: logging mode not supported: \(value)")
            }
            mode = known
        case "max-buffer-size": maxBufferSize = try size()
        case "compress":
            guard GoBoolean.parse(value) == false else {
                throw APIError.invalid(
                    "this version has no log opt 'compress': it keeps rotated files as they are")
            }
            compresses = false
        default: throw APIError.invalid("unknown log opt '\(name)' for json-file log driver")
        }
    }
}

extension ByteCount {
    /// Reads a number with an optional unit, `10m`, `1.5g`, `2KiB`; each unit is 1024 of the one before.
    package init?(text: String) {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        guard let number = Double(digits), number >= 0 else { return nil }
        let units = ["", "k", "m", "g", "t", "p"]
        var unit = lower.dropFirst(digits.count).drop { $0 == " " }
        if unit.hasSuffix("ib") { unit = unit.dropLast(2) } else if unit.hasSuffix("b") { unit = unit.dropLast() }
        guard let power = units.firstIndex(of: String(unit)) else { return nil }
        let bytes = (0..<power).reduce(number) { sofar, _ in sofar * 1024 }
        guard bytes < 9e18 else { return nil }
        self.init(Int64(bytes))
    }
}
