import LinuxKernel
import SystemPackage

/// The host's mounts that a container without pivot_root(2) still has around it.
enum HostMounts {
    /// Takes away the procfs and sysfs mounts outside of `root`.
    ///
    /// As long as a process has a whole procfs in its mount namespace, the kernel lets it mount another one in a user
    /// namespace, without what is masked in the container's.
    static func removeKernelFileSystems(outside root: String) throws(RuntimeError) {
        let table = try attempt("cannot read the mount table") { () throws(Errno) in
            try Files.read("/proc/self/mountinfo")
        }
        for line in table.split(separator: 0x0a) {
            guard let path = place(ofKernelFileSystem: line), path != root, !path.hasPrefix(root + "/") else {
                continue
            }
            try attempt("cannot take \(path) away from the container") { () throws(Errno) in try remove(FilePath(path))
            }
        }
    }

    /// Where a line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)) has a whole procfs or sysfs.
    static func place(ofKernelFileSystem line: some Collection<UInt8>) -> String? {
        let fields = line.split(separator: 0x20)
        guard fields.count > 6, fields[3].elementsEqual("/".utf8),
            let separator = fields.dropFirst(6).firstIndex(where: { $0.elementsEqual("-".utf8) }),
            fields.indices.contains(separator + 1)
        else { return nil }
        let type = fields[separator + 1]
        guard type.elementsEqual("proc".utf8) || type.elementsEqual("sysfs".utf8) else { return nil }
        return unescaped(Array(fields[4]))
    }

    /// Blanks and the like are there as a backslash and three octal digits.
    private static func unescaped(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let digits = bytes[index...].dropFirst().prefix(3)
            if bytes[index] == UInt8(ascii: "\\"), digits.count == 3,
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                result.append(byte)
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func remove(_ path: FilePath) throws(Errno) {
        do throws(Errno) {
            // The host keeps its own.
            try Mounts.mount(nil, on: path, flags: [.slave, .recursive])
            try Mounts.unmount(path, lazily: true)
        } catch .noSuchFileOrDirectory {
            // It has gone with the one above it.
        } catch  where error == .invalidArgument || error == .notPermitted {
            // Locked in a user namespace, or already gone: something on top of it hides it as well.
            try Mounts.mount("tmpfs", on: path, type: "tmpfs")
        }
    }
}
