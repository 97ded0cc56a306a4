import LinuxKernel
import SystemPackage

/// The files in which the kernel shows its limits: those of this machine, or of a directory with the same names.
package struct HostFiles: Sendable {
    private let root: FilePath

    /// The files below `root`: `proc/sys/…`, `proc/self/cgroup`, `sys/fs/cgroup/…`.
    package init(root: FilePath = "/") { self.root = root }

    /// The path below `/proc` of a parameter such as `net.core.somaxconn`.
    private static func path(_ name: String) -> String {
        "sys/" + String(name.map { $0 == "." ? "/" : $0 })
    }

    /// A parameter's value; `nil` where there is none.
    func parameter(_ name: String) -> UInt64? {
        number(root.appending("proc/" + Self.path(name)))
    }

    /// Sets a parameter.
    func set(_ name: String, to value: UInt64) throws(Errno) {
        if root == "/" {
            try ProcFile.write("\(value)", to: Self.path(name))
        } else {
            try Files.write("\(value)", to: root.appending("proc/" + Self.path(name)))
        }
    }

    /// The lowest limit of processes of the group that this process is in and of those above it, and whose it is; `nil`
    /// if none of them has one.
    func processLimit() -> (directory: String, limit: UInt64)? {
        guard let membership = try? Files.readText(root.appending("proc/self/cgroup")),
            let (hierarchy, group) = Self.group(membership)
        else { return nil }
        var names = group.split(separator: "/").map(String.init)
        var lowest: (directory: String, limit: UInt64)?
        while true {
            let directory = (["/sys/fs/cgroup" + hierarchy] + names).joined(separator: "/")
            if let limit = number(root.appending(directory + "/pids.max")), limit < lowest?.limit ?? .max {
                lowest = (directory, limit)
            }
            if names.popLast() == nil { return lowest }
        }
    }

    /// The hierarchy in which processes are counted, as a directory, and the group there, by `/proc/self/cgroup`.
    private static func group(_ membership: String) -> (hierarchy: String, group: String)? {
        var unified: (String, String)?
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].split(separator: ",").contains("pids") { return ("/pids", String(fields[2])) }
            if fields[0] == "0" { unified = ("", String(fields[2])) }
        }
        return unified
    }

    /// The first number of a file; `max` is no limit.
    private func number(_ path: FilePath) -> UInt64? {
        guard let text = try? Files.readText(path) else { return nil }
        return text == "max" ? .max : UInt64(text)
    }
}
