import LinuxKernel
import SystemPackage

/// Kernel parameters of a container's own namespaces.
enum Sysctl {
    /// Refuses parameters that are not the container's own but the whole machine's.
    static func check(_ parameters: [String: String], newNamespaces: Namespaces) throws(RuntimeError) {
        for name in parameters.keys.sorted() {
            let path = path(of: name)
            guard !path.split(separator: "/").contains("..") else {
                throw RuntimeError(.invalid, "\"\(name)\" is not a kernel parameter")
            }
            let namespace: Namespaces
            if path.hasPrefix("net/") {
                namespace = .network
            } else if ipcParameters.contains(path) || path.hasPrefix("fs/mqueue/") {
                namespace = .ipc
            } else if path == "kernel/domainname" || path == "kernel/hostname" {
                namespace = .uts
            } else if path.hasPrefix("user/") {
                namespace = .user
            } else {
                throw RuntimeError(.invalid, "sysctl \"\(name)\" is not in a separate kernel namespace")
            }
            guard newNamespaces.contains(namespace) else {
                throw RuntimeError(
                    .invalid, "sysctl \"\(name)\" is not allowed: the container shares that namespace with the host")
            }
        }
    }

    private static let ipcParameters: Set<String> = [
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
        "kernel/shmmni", "kernel/shm_rmid_forced",
    ]

    /// As sysctl(8) reads names: whichever of `.` and `/` comes first separates, and the other one stands for it.
    private static func path(of name: String) -> String {
        guard let separator = name.first(where: { $0 == "." || $0 == "/" }), separator == "." else { return name }
        return String(name.map { $0 == "." ? "/" : $0 == "/" ? "." : $0 })
    }

    /// Sets them, by the host's procfs: what is mounted inside the container need not be procfs (CVE-2025-52881).
    static func apply(_ parameters: [String: String]) throws(RuntimeError) {
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            try attempt("cannot set the kernel parameter \(name)", kind: .invalid) { () throws(Errno) in
                try ProcFile.write(value, to: "sys/\(path(of: name))")
            }
        }
    }
}
