import LinuxKernel
import OCISpec
import SystemPackage

/// The ids of a new user namespace; user_namespaces(7).
///
/// Users other than root may map only their own ids, and only after giving up setgroups(2). For more ids there are
/// newuidmap(1) and newgidmap(1), which read the delegated ids in `/etc/subuid` and `/etc/subgid`.
enum UserNamespaceMaps {
    static func write(
        uids: [LinuxIDMapping]?, gids: [LinuxIDMapping]?, process pid: Int32
    ) throws(RuntimeError) {
        let isUnprivileged = ProcessAttributes.uid != 0
        if isUnprivileged, isOwnGroup(gids ?? []) {
            try attempt("failed to write 'deny' to /proc/\(pid)/setgroups") { () throws(Errno) in
                try Files.write("deny", to: FilePath("/proc/\(pid)/setgroups"))
            }
        }
        try write(uids ?? [], to: "uid_map", of: pid, tool: isUnprivileged ? "newuidmap" : nil)
        try write(gids ?? [], to: "gid_map", of: pid, tool: isUnprivileged ? "newgidmap" : nil)
    }

    /// Whether root of the namespace is all there is, and the caller's own group.
    private static func isOwnGroup(_ mappings: [LinuxIDMapping]) -> Bool {
        mappings.count == 1 && mappings[0].containerID == 0 && mappings[0].size == 1
            && mappings[0].hostID == ProcessAttributes.gid
    }

    private static func write(
        _ mappings: [LinuxIDMapping], to file: String, of pid: Int32, tool: String?
    ) throws(RuntimeError) {
        let text = mappings.map { "\($0.containerID) \($0.hostID) \($0.size)\n" }.joined()
        do throws(Errno) {
            return try Files.write(text, to: FilePath("/proc/\(pid)/\(file)"))
        } catch  where error != .notPermitted || tool == nil {
            throw RuntimeError(.invalid, "failed to update /proc/\(pid)/\(file): \(error)")
        } catch {
            // Not one's own id.
        }
        guard let tool, let program = path(of: tool) else {
            throw RuntimeError(
                .invalid,
                "failed to update /proc/\(pid)/\(file): \(Errno.notPermitted): mapping tool not present (\(tool ?? ""))"
            )
        }
        let arguments = [tool, "\(pid)"] + mappings.flatMap { ["\($0.containerID)", "\($0.hostID)", "\($0.size)"] }
        let status = try attempt("running \(program)") { () throws(Errno) -> ProcessControl.ExitStatus? in
            switch try ProcessControl.fork() {
            case .child:
                _ = ProcessControl.execute(program, arguments: arguments, environment: [])
                ProcessControl.exit(127)
            case .parent(let helper, _): return try ProcessControl.wait(for: helper)?.status
            }
        }
        guard status == .exited(0) else {
            let ids = mappings.map { "[\($0.containerID) \($0.hostID) \($0.size)]" }.joined(separator: " ")
            throw RuntimeError(
                .invalid,
                "failed to use \(tool) on \(pid): it has refused \(ids) (see /etc/sub\(tool.dropFirst(3).prefix(3)))")
        }
    }

    private static func path(of tool: String) -> String? {
        let path = ProcessAttributes.environment.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(tool)" }.first {
            // What cannot be looked at cannot be executed either.
            guard let status = try? FileStatus.of(FilePath($0)) else { return false }
            return status.kind == .regular && status.mode & 0o111 != 0
        }
    }
}
