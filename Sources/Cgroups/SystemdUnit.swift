/// The unit of systemd whose control group a container has: a scope, or a slice if the name asks for one.
package struct SystemdUnit: Hashable, Sendable {
    /// `prefix-name.scope`, or `name.slice`.
    package let name: String
    /// The slice it is in.
    package let slice: String
    /// Whether it belongs to the user's instance of systemd and not to the machine's.
    package let isUser: Bool

    /// A unit that is known already.
    package init(name: String, slice: String, isUser: Bool) {
        self.name = name
        self.slice = slice
        self.isUser = isUser
    }

    /// The unit that `cgroupsPath` names in the form `slice:prefix:name`; `nil` or nothing is the default slice, and a
    /// name made of the container's id.
    package init(cgroupsPath: String?, id: String, isUser: Bool) throws(CgroupError) {
        var parts = ["", "masu", id]
        if let cgroupsPath, !cgroupsPath.isEmpty {
            parts = cgroupsPath.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else {
                throw CgroupError(
                    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, "
                        + "got \"\(cgroupsPath)\" instead")
            }
        }
        name = parts[2].hasSuffix(".slice") ? parts[2] : "\(parts[1])-\(parts[2]).scope"
        guard !name.contains("/") else { throw CgroupError("invalid unit name: \(name)") }
        slice = parts[0].isEmpty ? (isUser ? "user.slice" : "system.slice") : parts[0]
        self.isUser = isUser
        _ = try Self.path(ofSlice: slice)
    }

    /// Whether it is a slice and not a scope.
    package var isSlice: Bool { name.hasSuffix(".slice") }

    /// The control group's path below that of its instance of systemd.
    package func path() throws(CgroupError) -> String {
        let slice = try Self.path(ofSlice: slice)
        return slice == "/" ? "/\(name)" : "\(slice)/\(name)"
    }

    /// Dashes in a slice's name are its place in the tree: `a-b.slice` is in `a.slice` (systemd.slice(5)).
    package static func path(ofSlice slice: String) throws(CgroupError) -> String {
        let suffix = ".slice"
        guard slice.hasSuffix(suffix), !slice.contains("/") else {
            throw CgroupError("invalid slice name: \(slice)")
        }
        let name = slice.dropLast(suffix.count)
        if name == "-" { return "/" }
        var path = ""
        var prefix = ""
        for component in name.split(separator: "-", omittingEmptySubsequences: false) {
            guard !component.isEmpty else { throw CgroupError("invalid slice name: \(slice)") }
            path += "/\(prefix)\(component)\(suffix)"
            prefix += "\(component)-"
        }
        return path
    }
}
