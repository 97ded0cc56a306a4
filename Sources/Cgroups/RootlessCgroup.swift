import LinuxKernel
import OCISpec
import SystemPackage

// Groups of users other than root, who own at most a part of the hierarchies.
extension Cgroup {
    /// Makes the group `name` below the calling process's own (on version 2: beside it, because a group with processes
    /// can have no controllers for groups below it) in every hierarchy in which the caller may.
    ///
    /// - Returns: `nil` if the caller may make it in none of them.
    package static func makeWherePermitted(
        _ name: String, for resources: LinuxResources? = nil
    ) throws(CgroupError) -> Cgroup? {
        let membership = try CgroupHierarchies.membership()
        switch try CgroupHierarchies.mounted() {
        case .unified(let mountPoint):
            let own = CgroupHierarchies.path(of: "", in: membership) ?? ""
            // Outside of what this cgroup namespace shows.
            if own.hasPrefix("..") { return nil }
            let path = FilePath(own).removingLastComponent().appending(name)
            let group = try Cgroup(path: path.string, hierarchies: .unified(mountPoint: mountPoint))
            do throws(CgroupError) { try group.create(for: resources) } catch  where error.isLackOfPermission {
                return nil
            }
            return group
        case .legacy(let hierarchies, _):
            var found: (path: String, hierarchies: [CgroupHierarchies.LegacyHierarchy])?
            for hierarchy in hierarchies {
                guard let own = CgroupHierarchies.path(of: hierarchy, in: membership), !own.hasPrefix("..") else {
                    continue
                }
                let path = FilePath(own).appending(name).string
                // It is the same for all hierarchies, or one of them decides.
                if let found, found.path != path { continue }
                let group = try Cgroup(path: path, hierarchies: .legacy([hierarchy]))
                do throws(CgroupError) { try group.create(for: resources) } catch  where error.isLackOfPermission {
                    continue
                }
                found = (path, (found?.hierarchies ?? []) + [hierarchy])
            }
            guard let found else { return nil }
            return try Cgroup(path: found.path, hierarchies: .legacy(found.hierarchies))
        }
    }

    /// One controller of each hierarchy of version 1 that this group is in; `nil` on version 2.
    package var controllers: [String]? {
        guard case .legacy(let hierarchies, _) = hierarchies else { return nil }
        return hierarchies.compactMap(\.controllers.first)
    }
}

extension CgroupHierarchies {
    /// Whether this is version 2.
    package var isUnified: Bool {
        if case .unified = self { true } else { false }
    }

    /// The calling process's own groups, in the order of the hierarchies.
    package func directoriesOfCaller() throws(CgroupError) -> [FilePath] {
        let membership = try Self.membership()
        switch self {
        case .unified(let mountPoint): return [mountPoint.appending(Self.path(of: "", in: membership) ?? "")]
        case .legacy(let hierarchies, _):
            return hierarchies.map { $0.mountPoint.appending(Self.path(of: $0, in: membership) ?? "") }
        }
    }

    fileprivate static func membership() throws(CgroupError) -> [UInt8] {
        do throws(Errno) {
            return try Files.read("/proc/self/cgroup")
        } catch {
            throw CgroupError("open /proc/self/cgroup", error)
        }
    }

    fileprivate static func path(of hierarchy: LegacyHierarchy, in membership: [UInt8]) -> String? {
        path(of: hierarchy.controllers.joined(separator: ","), in: membership)
    }

    /// The path of a member in the hierarchy with `controllers`, without `/` at its beginning.
    fileprivate static func path(of controllers: String, in membership: [UInt8]) -> String? {
        for line in String(decoding: membership, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            if fields.count == 3, fields[1] == controllers { return String(fields[2].drop { $0 == "/" }) }
        }
        return nil
    }

    /// Those of version 1 with one of `controllers`; `nil` are all of them.
    package func limited(to controllers: [String]?) -> CgroupHierarchies {
        guard let controllers, case .legacy(let hierarchies, _) = self else { return self }
        return .legacy(hierarchies.filter { !Set($0.controllers).isDisjoint(with: controllers) })
    }
}

extension CgroupError {
    /// Whether others may do what could not be done here.
    var isLackOfPermission: Bool {
        errno == .permissionDenied || errno == .notPermitted || errno == .readOnlyFileSystem
    }
}
