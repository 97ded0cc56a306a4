import LinuxKernel
import SystemPackage

/// How control groups are mounted on this machine; cgroups(7).
package enum CgroupHierarchies: Hashable, Sendable {
    /// One hierarchy of version 2 with all controllers.
    case unified(mountPoint: FilePath)
    /// Hierarchies of version 1. On a hybrid system there is one of version 2 beside them, mounted at `unified`. It has
    /// no controllers, but shows which processes belong together.
    case legacy([LegacyHierarchy], unified: FilePath? = nil)

    /// A hierarchy of version 1.
    package struct LegacyHierarchy: Hashable, Sendable {
        /// The controllers on it; one called `name=…` has none.
        package var controllers: [String]
        /// Where it is mounted.
        package var mountPoint: FilePath

        /// A hierarchy with `controllers`.
        package init(controllers: [String], mountPoint: FilePath) {
            self.controllers = controllers
            self.mountPoint = mountPoint
        }
    }

    /// The same without version 2 beside version 1.
    package var withoutUnifiedBeside: CgroupHierarchies {
        if case .legacy(let hierarchies, _) = self { .legacy(hierarchies) } else { self }
    }

    /// Where distributions mount control groups.
    package static let usualMountPoint: FilePath = "/sys/fs/cgroup"

    /// What is mounted at `mountPoint`.
    ///
    /// Which hierarchies of version 1 there are is taken from `/proc/self/cgroup`, which is short, instead of from the
    /// mount table, which is not.
    package static func mounted(at mountPoint: FilePath = usualMountPoint) throws(CgroupError) -> CgroupHierarchies {
        let type: FileSystemType
        do throws(Errno) {
            type = try FileSystemType.of(mountPoint)
        } catch {
            throw CgroupError("control groups are not mounted at \(mountPoint)", error)
        }
        if type == .cgroup2 { return .unified(mountPoint: mountPoint) }
        let membership: [UInt8]
        do throws(Errno) {
            membership = try Files.read("/proc/self/cgroup")
        } catch {
            throw CgroupError("open /proc/self/cgroup", error)
        }
        var hierarchies: [LegacyHierarchy] = []
        var unified: FilePath?
        for line in membership.split(separator: 0x0a) {
            // hierarchy-id:controllers:path; the controllers of version 2 are empty.
            let fields = line.split(separator: 0x3a, maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].isEmpty {
                let path = mountPoint.appending("unified")
                // As with the others below.
                if (try? FileSystemType.of(path)) == .cgroup2 { unified = path }
                continue
            }
            let names = String(decoding: fields[1], as: UTF8.self)
            let directory = names.hasPrefix("name=") ? String(names.dropFirst(5)) : names
            let path = mountPoint.appending(directory)
            // A hierarchy may exist and not be mounted; a directory made there would not be a control group.
            guard let type = try? FileSystemType.of(path), type == .cgroup else { continue }
            hierarchies.append(
                LegacyHierarchy(controllers: names.split(separator: ",").map(String.init), mountPoint: path))
        }
        guard !hierarchies.isEmpty else { throw CgroupError("no control group hierarchy is mounted at \(mountPoint)") }
        return .legacy(hierarchies, unified: unified)
    }
}
