import ContainerRuntime
import LinuxKernel
import SystemPackage

/// The default directory for the state of containers.
enum UserDirectory {
    private static let name = "masu-runtime"

    /// Root's directory. For other users of the host, one below `$XDG_RUNTIME_DIR`, which this function makes.
    static func root() throws(RuntimeError) -> FilePath {
        let usual = FilePath("/run/\(name)")
        guard let base = variable("XDG_RUNTIME_DIR"), !base.isEmpty, isUsed else { return usual }
        let directory = RuntimeCommands.absolute(base).appending(name)
        do throws(Errno) {
            try Files.makeDirectories(directory, mode: 0o700)
            // Cleaners may remove directories there that are not sticky and have not been used for some hours.
            let handle = try Files.open(directory, [.readOnly, .directory])
            defer { handle.discard() }
            try handle.changeMode(0o1700)
        } catch {
            throw RuntimeError(
                .system, "the path in $XDG_RUNTIME_DIR must be writable by the user: \(directory): \(error)")
        }
        return directory
    }

    /// Whether the user is not root of the host. Root of a user namespace can be any user of the host.
    private static var isUsed: Bool {
        if ProcessAttributes.uid != 0 { return true }
        return variable("USER") != "root" && RootlessCgroups.automatic.isInForce
    }

    private static func variable(_ name: String) -> String? {
        ProcessAttributes.environment.first { $0.hasPrefix("\(name)=") }.map {
            String($0.dropFirst(name.utf8.count + 1))
        }
    }
}
