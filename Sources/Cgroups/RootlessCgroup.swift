import LinuxKernel
import SystemPackage

// Groups of those who are not root, and own at best a part of the hierarchies.
extension Cgroup {
    /// Makes the group `name` below the calling process's own (on version 2: beside it, because a group with processes
    /// can have no controllers for groups below it) in every hierarchy in which the caller may.
    ///
    /// - Returns: `nil` if that is none of them.
    package static func makeWherePermitted(_ name: String) throws(CgroupError) -> Cgroup? {
        let membership: [UInt8]
        do throws(Errno) {
            membership = try Files.read("/proc/self/cgroup")
        } catch {
            throw CgroupError("open /proc/self/cgroup", error)
        }
        switch try CgroupHierarchies.mounted() {
        case .unified(let mountPoint):
            let own = FilePath(ownPath(of: "", in: membership) ?? "/")
            let path = own.removingLastComponent().appending(name)
            let group = try Cgroup(path: path.string, hierarchies: .unified(mountPoint: mountPoint))
            do throws(CgroupError) { try group.create() } catch  where error.isLackOfPermission { return nil }
            return group
        case .legacy(let hierarchies):
            var found: (path: String, hierarchies: [CgroupHierarchies.LegacyHierarchy])?
            for hierarchy in hierarchies {
                guard let own = ownPath(of: hierarchy.controllers.joined(separator: ","), in: membership) else {
                    continue
                }
                let path = FilePath(own).appending(name).string
                // It is the same for all hierarchies, or one of them decides.
                if let found, found.path != path { continue }
                let group = try Cgroup(path: path, hierarchies: .legacy([hierarchy]))
                do throws(CgroupError) { try group.create() } catch  where error.isLackOfPermission { continue }
                found = (path, (found?.hierarchies ?? []) + [hierarchy])
            }
            guard let found else { return nil }
            return try Cgroup(path: found.path, hierarchies: .legacy(found.hierarchies))
        }
    }

    /// The path of a member in the hierarchy with `controllers`, from what is in its `/proc/<pid>/cgroup`.
    private static func ownPath(of controllers: String, in membership: [UInt8]) -> String? {
        for line in String(decoding: membership, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            if fields.count == 3, fields[1] == controllers { return String(fields[2]) }
        }
        return nil
    }

    /// One controller of each hierarchy of version 1 that this group is in; `nil` on version 2.
    package var controllers: [String]? {
        guard case .legacy(let hierarchies) = hierarchies else { return nil }
        return hierarchies.compactMap(\.controllers.first)
    }
}

extension CgroupHierarchies {
    /// Those of version 1 with one of `controllers`; `nil` are all of them.
    package func limited(to controllers: [String]?) -> CgroupHierarchies {
        guard let controllers, case .legacy(let hierarchies) = self else { return self }
        return .legacy(hierarchies.filter { !Set($0.controllers).isDisjoint(with: controllers) })
    }
}

extension CgroupError {
    /// Whether others may do what could not be done here.
    var isLackOfPermission: Bool {
        errno == .permissionDenied || errno == .notPermitted || errno == .readOnlyFileSystem
    }
}
