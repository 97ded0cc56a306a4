import Cgroups
import LinuxKernel
import OCISpec
import Seccomp
import SystemPackage

/// A child's way into a pid namespace that exists: a process's own one never changes, only that of its later children.
enum PIDNamespace {
    /// Does `fork` so that the child is in the pid namespace of the file `path` (`nil`: in this process's).
    static func forked(
        into path: FilePath?, _ fork: () throws(Errno) -> ProcessControl.Fork
    ) throws(RuntimeError) -> ProcessControl.Fork {
        guard let path else { return try attempt("cannot make the container's process", fork) }
        let file = try attempt("cannot open the namespace \(path)", kind: .invalid) { () throws(Errno) in
            try Files.open(path, .readOnly)
        }
        defer { file.discard() }
        let own = try attempt("cannot open this process's pid namespace") { () throws(Errno) in
            try Files.open("/proc/self/ns/pid", .readOnly)
        }
        defer { own.discard() }
        try attempt("cannot join the pid namespace", kind: .invalid) { () throws(Errno) in
            try Namespaces.pid.enter(file)
        }
        let result: Result<ProcessControl.Fork, Errno>
        do throws(Errno) { result = .success(try fork()) } catch { result = .failure(error) }
        if case .success(.child) = result { return .child }
        try attempt("cannot return to this process's pid namespace") { () throws(Errno) in try Namespaces.pid.enter(own)
        }
        return try attempt("cannot make the container's process") { () throws(Errno) in try result.get() }
    }
}

/// System call filters, ready to be sent to the process that sets them.
enum SeccompFilters {
    /// Empty if there is no profile.
    static func compiled(_ profile: LinuxSeccomp?, _ cache: SeccompCache?) throws(RuntimeError) -> [UInt8] {
        guard let profile else { return [] }
        do throws(SeccompError) {
            if let cache { return try cache.program(for: profile).message }
            return try SeccompProgram(compiling: profile).message
        } catch {
            throw RuntimeError(.invalid, error.message)
        }
    }
}

extension LinuxResources {
    /// Whether there is nothing to be set.
    var isEmpty: Bool { self == LinuxResources() }

    /// Whether the configuration has no limits but rules for devices. Every configuration has those. If the user wants
    /// no control group, it is no error that they have no effect.
    var isOnlyAboutDevices: Bool {
        var others = self
        others.devices = nil
        return others.isEmpty
    }

    /// With the devices that every container may use added to rules that would forbid them (`config-linux.md`, "Default
    /// Devices"); making device files is harmless, using them is what is forbidden.
    var withDefaultDevices: LinuxResources {
        guard let rules = devices, !rules.isEmpty else { return self }
        var resources = self
        var defaults = ["c", "b"].map { LinuxDeviceCgroup(allow: true, type: $0, access: "m") }
        for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)] as [(Int64, Int64)] {
            defaults.append(LinuxDeviceCgroup(allow: true, type: "c", major: major, minor: minor, access: "rwm"))
        }
        // The terminals of the container's own devpts.
        defaults.append(LinuxDeviceCgroup(allow: true, type: "c", major: 136, access: "rwm"))
        // Docker's own list has them all already.
        let lastWord = rules.lastIndex { !$0.allow }.map { rules[($0 + 1)...] } ?? rules[...]
        resources.devices = rules + defaults.filter { !lastWord.contains($0) }
        return resources
    }
}

/// A container's directory under the runtime's root.
enum StateDirectory {
    /// Makes it for a container that is to be.
    static func make(_ directory: FilePath, id: String) throws(RuntimeError) {
        do throws(Errno) {
            do throws(Errno) {
                try Files.makeDirectory(directory, mode: 0o711)
            } catch .noSuchFileOrDirectory {
                try Files.makeDirectories(directory.removingLastComponent(), mode: 0o711)
                try Files.makeDirectory(directory, mode: 0o711)
            }
        } catch .fileExists {
            throw RuntimeError(.conflict, "container with given ID already exists: \(id)")
        } catch {
            throw RuntimeError(.system, "cannot make \(directory): \(error.words)")
        }
    }

    /// Notes which group is being made, before there is a record. If the runtime is killed right then, clean-up finds
    /// the group by this note.
    static func note(_ cgroup: Cgroup, in directory: FilePath) throws(Errno) {
        try FileDescriptor.workingDirectory.makeSymlink(directory.appending(cgroupNote).string, to: cgroup.path)
    }

    /// The record says it now.
    static func removeNote(in directory: FilePath) {
        try? Files.remove(directory.appending(cgroupNote))  // It goes with the directory at the latest.
    }

    /// The group of which `note` has told.
    static func notedCgroup(in directory: FilePath) -> Cgroup? {
        // There is none, or nothing was made.
        guard let path = try? FileDescriptor.workingDirectory.readSymlink(directory.appending(cgroupNote).string) else {
            return nil
        }
        return try? Cgroup(path: path, hierarchies: .mounted())  // As above.
    }

    private static let cgroupNote = "cgroup"

    /// Removes it with all that this module puts there.
    static func remove(_ directory: FilePath) throws(Errno) {
        // What a container that has run its course leaves; anything else is looked for.
        do throws(Errno) {
            try Files.remove(directory.appending(StoredContainer.fileName))
        } catch .noSuchFileOrDirectory {}
        do throws(Errno) {
            try Files.removeDirectory(directory)
        } catch .noSuchFileOrDirectory {
            return
        } catch .directoryNotEmpty {
            try TreeRemoval.remove(directory)
        }
    }
}
