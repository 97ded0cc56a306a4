import Text

/// The `attrs` of log lines which the options `labels`, `labels-regex`, `env`, `env-regex` and `tag` ask for.
package enum LogAttributes {
    /// The attributes by name: chosen labels and variables of the container, and the tag.
    package static func attributes(_ record: ContainerRecord, options: LogFileOptions) -> [String: String] {
        var result: [String: String] = [:]
        let configuration = record.configuration
        for (name, value) in configuration.labels
        where isChosen(name, among: options.labels, pattern: options.labelsPattern) {
            result[name] = value
        }
        for variable in configuration.environment {
            guard let end = variable.firstIndex(of: "=") else { continue }
            let name = String(variable[..<end])
            if isChosen(name, among: options.environment, pattern: options.environmentPattern) {
                result[name] = String(variable[variable.index(after: end)...])
            }
        }
        if let tag = options.tag, !tag.isEmpty {
            result["tag"] =
                tag
                .replacing("{{.ID}}", with: RandomIdentifier.short(record.id))
                .replacing("{{.FullID}}", with: record.id)
                .replacing("{{.Name}}", with: record.name)
                .replacing("{{.ImageName}}", with: configuration.image)
        }
        return result
    }

    private static func isChosen(_ name: String, among names: [String], pattern: GoRegularExpression?) -> Bool {
        names.contains(name) || pattern?.matches(name) ?? false
    }
}
