import LinuxKernel
import OCISpec
import SystemPackage

// Paths of the container that it may not read, or not write.
extension RootFilesystem {
    /// Makes `paths` unreadable: files become the null device, directories empty.
    func mask(_ paths: [String]) throws(RuntimeError) {
        var empty: FileDescriptor?
        var null: FileDescriptor?
        defer {
            empty?.discard()
            null?.discard()
        }
        var seen: [[Substring]] = []
        for path in paths {
            let components = path.split(separator: "/").filter { $0 != "." }
            if seen.contains(components) { continue }
            seen.append(components)
            try attempt("masking \(path)") { () throws(Errno) in
                let target: FileDescriptor
                do throws(Errno) {
                    target = try handle.openInRoot(path)
                } catch  where error == .noSuchFileOrDirectory || error == .notDirectory {
                    return
                }
                defer { target.discard() }
                if try FileStatus.of(target).isDirectory {
                    if let empty {
                        try attachClone(of: empty, on: target)
                    } else {
                        // One empty file system serves for all of them. It can be copied only once it is attached
                        // (before Linux 6.15).
                        let label = plan.linux.mountLabel.flatMap { $0.isEmpty ? nil : $0 }
                        let new = try Mounts.newFileSystem(
                            "tmpfs", options: label.map { [("context", $0)] } ?? [], attributes: .readOnly)
                        empty = new
                        try Mounts.attach(new, on: target)
                    }
                } else {
                    // The host's: the container's could be anything by now (CVE-2025-31133).
                    if null == nil { null = try Files.open("/dev/null", .path) }
                    guard let device = null else { return }
                    let status = try FileStatus.of(device)
                    guard status.kind == .characterDevice, status.deviceNumbers == (1, 3) else {
                        throw Errno.operationNotSupportedByDevice
                    }
                    try attachClone(of: device, on: target)
                }
            }
        }
    }

    /// Makes `paths` read-only, with everything below them.
    func protect(_ paths: [String]) throws(RuntimeError) {
        for path in paths {
            try attempt("cannot make \(path) read-only") { () throws(Errno) in
                let target: FileDescriptor
                do throws(Errno) {
                    target = try handle.openInRoot(path)
                } catch  where error == .noSuchFileOrDirectory || error == .notDirectory {
                    return
                }
                defer { target.discard() }
                let tree = try Mounts.cloneTree(at: target, recursive: true)
                defer { tree.discard() }
                try Mounts.setAttributes(of: tree, set: .readOnly, propagation: .private, recursive: true)
                try Mounts.attach(tree, on: target)
            }
        }
    }

    private func attachClone(of mount: FileDescriptor, on target: FileDescriptor) throws(Errno) {
        let tree = try Mounts.cloneTree(at: mount)
        defer { tree.discard() }
        try Mounts.attach(tree, on: target)
    }
}
