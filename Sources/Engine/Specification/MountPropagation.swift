import LinuxKernel
import SystemPackage

/// Whether bind mounts can be shared the way they ask for: only what the host shares can be; mount_namespaces(7).
enum MountPropagation {
    /// Throws, in Docker's words, for a source which is on a mount that cannot be shared so. Blocks.
    static func check(_ host: HostConfiguration) throws(EngineError) {
        let binds =
            host.binds.map { ($0.source, $0.propagation ?? "") }
            + host.mounts.map { ($0.source, $0.bind?.propagation ?? "") }
        for (source, propagation) in binds {
            let wantsShared = propagation.hasSuffix("shared")
            guard wantsShared || propagation.hasSuffix("slave") else { continue }
            let (mountPoint, tags): (String, [Substring])
            do throws(Errno) {
                (mountPoint, tags) = try mount(of: source)
            } catch {
                throw .system("cannot find out on which mount \(source) is: \(error)")
            }
            if tags.contains(where: { $0.hasPrefix("shared:") }) { continue }
            if !wantsShared, tags.contains(where: { $0.hasPrefix("master:") }) { continue }
            throw .system(
                "path \(source) is mounted on \(mountPoint) but it is not a \(wantsShared ? "shared" : "shared or slave") mount"
            )
        }
    }

    /// The mount on which `path` is, from proc_pid_mountinfo(5): where it is mounted, and what it propagates.
    private static func mount(of path: String) throws(Errno) -> (mountPoint: String, tags: [Substring]) {
        let file = try Files.open(FilePath(path), .path)
        defer { file.discard() }
        let key = "mnt_id:"
        let lines = try Files.readText(FilePath("/proc/self/fdinfo/\(file.rawValue)")).split(separator: "\n")
        let identifier = lines.first { $0.hasPrefix(key) }?.dropFirst(key.count).drop { $0 == "\t" || $0 == " " }
        for line in try Files.readText("/proc/self/mountinfo").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 6, fields[0] == identifier else { continue }
            return (String(fields[4]), Array(fields[6...].prefix { $0 != "-" }))
        }
        throw .noSuchFileOrDirectory
    }
}
