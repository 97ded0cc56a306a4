/// A volume that somebody wants to have.
package struct VolumeRequest: Hashable, Sendable {
    /// Empty for a volume that nobody gives a name: it gets 64 hexadecimal digits.
    package var name: String
    /// Empty for whatever driver has a volume of this name, or else `local`.
    package var driver: String
    /// The driver's options, in its own words.
    package var options: [String: String]?
    /// The user's own notes.
    package var labels: [String: String]?

    /// A volume of this name; with nothing else, a directory.
    package init(
        name: String = "", driver: String = "", options: [String: String]? = nil, labels: [String: String]? = nil
    ) {
        self.name = name
        self.driver = driver
        self.options = options
        self.labels = labels
    }
}
