import Glibc

/// A program of the system that is run to its end: to make a file system, once in the life of a data root.
enum FileSystemProgram {
    /// Runs `command`, found in PATH or where such programs are. What it prints goes where this process's errors go.
    static func run(_ command: [String], driver: String) throws(SnapshotError) {
        let directories = (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":").map(String.init)
        let candidates = (directories + ["/usr/sbin", "/sbin"]).map { "\($0)/\(command[0])" }
        guard let path = candidates.first(where: { access($0, X_OK) == 0 }) else {
            throw .unavailable(driver: driver, "\(command[0]) is not installed; install it, or use overlay2")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &actions, nil, &arguments, environ)
        guard code == 0 else {
            throw .unavailable(driver: driver, "cannot run \(path): \(String(cString: strerror(code)))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            throw .unavailable(driver: driver, "\(command.joined(separator: " ")) failed (status \(status))")
        }
    }
}
