import ContainerRuntime
import LinuxKernel
import SystemPackage

/// Where the state of containers is if nobody says where.
enum UserDirectory {
    private static let name = "masu-runtime"

    /// Root's directory, or that below `$XDG_RUNTIME_DIR` of somebody who is not root on the host, which is made here.
    static func root() throws(RuntimeError) -> FilePath {
        let usual = FilePath("/run/\(name)")
        guard let base = variable("XDG_RUNTIME_DIR"), !base.isEmpty, isUsed else { return usual }
        let directory = RuntimeCommands.absolute(base).appending(name)
        do throws(Errno) {
            try Files.makeDirectories(directory, mode: 0o700)
            // What is not sticky there may be removed when it has not been used for some hours.
            let handle = try Files.open(directory, [.readOnly, .directory])
            defer { handle.discard() }
            try handle.changeMode(0o1700)
        } catch {
            throw RuntimeError(
                .system, "the path in $XDG_RUNTIME_DIR must be writable by the user: \(directory): \(error)")
        }
        return directory
    }

    /// Root of the host has always had its directory elsewhere; root of a user namespace may in truth be anybody.
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
