import LinuxKernel
import SystemPackage

/// A child's way into a user namespace that exists.
///
/// What is to belong to that namespace must be made by a process in it, so a first process enters it and makes the
/// container's process, with its other namespaces, as its own sibling.
struct JoinedUserNamespace {
    let plan: CreationPlan
    let channel: InitChannel
    /// The namespaces that the container's process is to have of its own from its beginning.
    let newNamespaces: Namespaces

    /// Returns in the container's process. The first process reports that one's pid and ends.
    func enter() throws(RuntimeError) {
        // All are opened first: paths may mean others in the mount namespace that is joined.
        var files: [(kind: Namespaces, path: FilePath, file: FileDescriptor)] = []
        for (kind, path) in plan.joinedNamespaces {
            let file = try attempt("cannot join the namespace \(path)", kind: .invalid) { () throws(Errno) in
                try Files.open(path, .readOnly)
            }
            files.append((kind, path, file))
        }
        defer { for entry in files { entry.file.discard() } }
        // With the rights of the host as far as possible: not all of them need belong to the user namespace. Those that
        // do need the rights that come with it.
        var left: [(kind: Namespaces, path: FilePath, file: FileDescriptor)] = []
        for entry in files where entry.kind != .user {
            do throws(Errno) {
                try entry.kind.enter(entry.file)
            } catch .notPermitted {
                left.append(entry)
            } catch {
                throw RuntimeError(.invalid, "cannot join the namespace \(entry.path): \(error)")
            }
        }
        for entry in files.filter({ $0.kind == .user }) + left {
            try attempt("cannot join the namespace \(entry.path)", kind: .invalid) { () throws(Errno) in
                try entry.kind.enter(entry.file)
            }
        }
        let fork = try attempt("cannot make the container's process in a user namespace") { () throws(Errno) in
            try Credentials.setGroup(0)
            try Credentials.setUser(0)
            return try ProcessControl.fork(namespaces: newNamespaces, asSibling: true)
        }
        if case .parent(let pid, _) = fork {
            try channel.report(.replaced(by: pid, needsGroup: false))
            ProcessControl.exit(0)
        }
    }

    /// Waits until the process `first`, which does the above, has been replaced, and returns the pid of the other one.
    /// The runtime does so.
    static func replacement(of first: Int32, _ channel: InitChannel) throws(RuntimeError) -> Int32 {
        switch try channel.nextReport() {
        case .replaced(let pid, _):
            // It has nothing more to do than to end. That it cannot be waited for would mean that it is gone.
            _ = try? ProcessControl.wait(for: first)
            return pid
        case .failure(let error): throw error
        case .warning, .console, .sourceRequest, .listening, .readyForHooks, .ready, nil:
            throw RuntimeError(.system, "the container's process ended before it was in its user namespace")
        }
    }
}
