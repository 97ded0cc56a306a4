import SystemPackage

extension Errno {
    /// The error's words as Go's programs write them, which callers of container runtimes compare with: in lower case.
    package var words: String { description.lowercased() }
}
