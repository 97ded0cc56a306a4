/// The API's `filters` parameter: key → values; values of one key are alternatives, keys all must match.
package struct ListFilters: Hashable, Sendable {
    /// Values by the filter's name.
    package var values: [String: [String]]

    /// Filters as the API has them.
    package init(_ values: [String: [String]] = [:]) {
        self.values = values
    }

    /// Whether everything passes.
    package var isEmpty: Bool { values.isEmpty }

    package subscript(key: String) -> [String] { values[key] ?? [] }
}

/// How `list` is asked.
package struct ListOptions: Sendable {
    /// Also those which do not run.
    package var all = false
    /// Only so many newest; implies `all`.
    package var limit: Int?
    /// Fill in the sizes (walks the containers' own layers).
    package var size = false
    /// `ancestor`, `before`, `exited`, `expose`, `health`, `id`, `is-task`, `isolation`, `label`, `name`, `network`,
    /// `publish`, `since`, `status`, `volume`; an unknown one is an `invalid` error.
    package var filters = ListFilters()

    /// Running containers, without their sizes.
    package init() {}
}
