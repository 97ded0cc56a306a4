/// A link to another container, as `--link` has it.
package struct ContainerLink: Hashable, Sendable {
    /// The name or id of the other container.
    package var target: String
    /// What the one that has the link calls it.
    package var alias: String

    /// Reads `container`, `container:alias`, or what inspect shows of a link, `/container:/own name/alias`.
    ///
    /// - Throws: `EngineError` (invalid) with Docker's words.
    package init(parsing text: String) throws(EngineError) {
        if text.isEmpty { throw .invalid("empty string specified for links") }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw .invalid("bad format for links: \(text)")
        }
        target = parts[0]
        alias = parts.count == 2 ? parts[1] : parts[0]
        guard target.hasPrefix("/") else { return }
        target.removeFirst()
        alias = alias.split(separator: "/").last.map(String.init) ?? ""
        if target.isEmpty || alias.isEmpty { throw .invalid("bad format for links: \(text)") }
    }

    /// `container:alias`.
    package var text: String { "\(target):\(alias)" }

    /// A link with both of its sides.
    package init(to target: String, as alias: String) {
        self.target = target
        self.alias = alias
    }
}
