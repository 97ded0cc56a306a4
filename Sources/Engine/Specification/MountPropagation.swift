import LinuxKernel
import SystemPackage

/// Whether bind mounts can be shared the way they ask for: only what the host shares can be; mount_namespaces(7).
enum MountPropagation {
    /// The mounts with those propagations that can be had. Throws, in Docker's words, for a source which is on a mount
    /// that cannot be shared as its bind mount asks for; what the engine chose by itself is given up instead. Blocks.
    static func settled(_ points: [MountPoint]) throws(EngineError) -> [MountPoint] {
        var settled = points
        for (index, point) in points.enumerated() {
            guard case .bind(var bind) = point.content,
                let refusal = try refusal(of: bind.effectivePropagation, source: bind.path)
            else { continue }
            if bind.propagation != nil { throw refusal }
            bind.fallbackPropagation = nil
            settled[index].content = .bind(bind)
        }
        return settled
    }

    private static func refusal(
        of propagation: MountPropagationMode, source: String
    ) throws(EngineError) -> EngineError? {
        guard propagation.isShared || propagation.isSlave else { return nil }
        let (mountPoint, tags): (String, [Substring])
        do throws(Errno) {
            (mountPoint, tags) = try mount(of: source)
        } catch {
            throw .system("cannot find the mount of \(source): \(error)")
        }
        if tags.contains(where: { $0.hasPrefix("shared:") }) { return nil }
        if propagation.isSlave, tags.contains(where: { $0.hasPrefix("master:") }) { return nil }
        return .system(
            "path \(source) is mounted on \(mountPoint) but it is not a "
                + "\(propagation.isShared ? "shared" : "shared or slave") mount"
        )
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
