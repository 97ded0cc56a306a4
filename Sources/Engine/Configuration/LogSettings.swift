/// How a container's output is kept (`--log-driver`, `--log-opt`).
package struct LogSettings: Hashable, Sendable, Codable {
    /// nil: the daemon's default.
    package var driver: LogDriver?
    /// What the drivers that write files are told.
    package var file = LogFileOptions()
    /// What a driver is told that takes any options and heeds none; for `inspect`.
    package var ignored: [String: String] = [:]

    /// A driver with its options; `nil` is the daemon's.
    package init(driver: LogDriver? = nil, file: LogFileOptions = LogFileOptions()) {
        self.driver = driver
        self.file = file
    }

    /// These settings on the daemon's: its options are for containers that have its driver, chosen or not.
    func filled(from standard: LogSettings) -> LogSettings {
        let common = standard.driver ?? .standard
        guard driver == nil || driver == common else { return self }
        var filled = LogSettings(driver: common, file: file.filled(from: standard.file))
        filled.ignored = ignored.merging(standard.ignored) { own, _ in own }
        return filled
    }
}

/// Options of the driver `json-file`; nil and empty: not given.
package struct LogFileOptions: Hashable, Sendable, Codable {
    /// A file that has grown so far is followed by the next; 0: never.
    package var maxSize: Asked<ByteCount>?
    /// How many files are kept, 1 to 1000.
    package var maxFiles: Int?
    /// Labels of the container that are added to each line, by name and by regular expression.
    package var labels: [String] = []
    /// Labels whose keys match are in every record.
    package var labelsPattern: GoRegularExpression?
    /// The same of its environment.
    package var environment: [String] = []
    /// Variables whose names match are in every record.
    package var environmentPattern: GoRegularExpression?
    /// A template, added to each line.
    package var tag: String?
    /// Docker's choice between a container that waits for its log and a log with gaps. Carried: here a container
    /// never waits.
    package var mode: LogMode?
    /// How much is held for a slow disk in the mode `non-blocking`.
    package var maxBufferSize: Asked<ByteCount>?
    /// Carried: `false` is all there is.
    package var compresses: Bool?

    /// The driver's defaults.
    package init() {}

    /// How many files there may be: each rotation looks at every one.
    package static let maximumFiles = 1000

    func filled(from standard: LogFileOptions) -> LogFileOptions {
        var filled = self
        filled.maxSize = maxSize ?? standard.maxSize
        filled.maxFiles = maxFiles ?? standard.maxFiles
        if labels.isEmpty { filled.labels = standard.labels }
        filled.labelsPattern = labelsPattern ?? standard.labelsPattern
        if environment.isEmpty { filled.environment = standard.environment }
        filled.environmentPattern = environmentPattern ?? standard.environmentPattern
        filled.tag = tag ?? standard.tag
        filled.mode = mode ?? standard.mode
        filled.maxBufferSize = maxBufferSize ?? standard.maxBufferSize
        filled.compresses = compresses ?? standard.compresses
        return filled
    }
}

/// What happens when the log cannot keep up.
package enum LogMode: String, Hashable, Sendable, Codable {
    case blocking
    case nonBlocking = "non-blocking"
}
