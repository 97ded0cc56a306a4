import JSON

/// Where a container's output is kept.
package struct LogConfiguration: Codable, Hashable, Sendable {
    /// The kinds of logs, by Docker's names.
    package enum Driver: String, Codable, Hashable, Sendable {
        /// Nothing is kept.
        case none
        /// A line of JSON for each line of output.
        case jsonFile = "json-file"
    }

    /// What is written.
    package var driver: Driver
    /// The file's absolute path; its directory exists. Older files have `.1`, `.2`, … after it.
    package var path: String?
    /// A file that has grown to this many bytes is set aside; `nil` lets it grow for ever.
    package var maxSize: Int64?
    /// How many files there are at most, the current one included; with 1 an empty one takes the place of a full one.
    package var maxFiles: Int
    /// Docker's `attrs`: labels, environment variables and the tag that the log options name; an object of strings.
    package var attributes: JSONValue?

    /// Docker's `max-size`, which Masu sets by default: 20 MiB.
    package static let defaultMaxSize: Int64 = 20 << 20
    /// Docker's `max-file`, which Masu sets by default.
    package static let defaultMaxFiles = 5

    /// A log.
    package init(
        driver: Driver, path: String? = nil, maxSize: Int64? = defaultMaxSize, maxFiles: Int = defaultMaxFiles,
        attributes: JSONValue? = nil
    ) {
        self.driver = driver
        self.path = path
        self.maxSize = maxSize
        self.maxFiles = maxFiles
        self.attributes = attributes
    }

    /// No log.
    package static let none = LogConfiguration(driver: .none)

    /// A `json-file` log with the usual rotation.
    package static func jsonFile(
        _ path: String, maxSize: Int64? = defaultMaxSize, maxFiles: Int = defaultMaxFiles
    ) -> LogConfiguration {
        LogConfiguration(driver: .jsonFile, path: path, maxSize: maxSize, maxFiles: maxFiles)
    }
}
