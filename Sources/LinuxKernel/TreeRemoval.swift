import Glibc
import Synchronization
import SystemPackage

/// Removes whole directory trees, whatever a container has made of them.
///
/// Nothing is followed: each level is opened from the one above with `O_NOFOLLOW`. A tree may be deeper than a path can
/// be long or than there are descriptors: below a certain depth directories are moved up first.
package enum TreeRemoval {
    /// How many directories are open at once.
    private static let depthLimit = 64
    /// Makes names of what is moved up unique among the threads of this process.
    private static let serial = Atomic(0)

    /// Removes the file or directory `name` of the directory `parent`. One that does not exist is no error.
    package static func remove(_ name: [UInt8], in parent: Int32) throws(Errno) {
        var pending = [name]
        while let next = pending.popLast() {
            try remove(next, in: parent, top: parent, depth: 0, pending: &pending)
        }
    }

    /// Removes the file or directory at `path`. One that does not exist is no error.
    package static func remove(_ path: FilePath) throws(Errno) {
        guard let name = path.lastComponent else { throw .invalidArgument }
        let directory = path.removingLastComponent()
        let descriptor = (directory.isEmpty ? FilePath(".") : directory).withPlatformString {
            open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        if descriptor < 0 {
            if errno == ENOENT { return }
            throw Errno(rawValue: errno)
        }
        defer { close(descriptor) }
        try remove(
            name.withPlatformString { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }, in: descriptor)
    }

    private static func remove(
        _ name: [UInt8], in parent: Int32, top: Int32, depth: Int, pending: inout [[UInt8]]
    ) throws(Errno) {
        let name = name + [0]
        if call(name, { unlinkat(parent, $0, 0) }) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM || errno == EACCES else { throw Errno(rawValue: errno) }
        if call(name, { unlinkat(parent, $0, AT_REMOVEDIR) }) == 0 || errno == ENOENT { return }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw Errno(rawValue: errno) }
        if depth == depthLimit {
            // Next to the tree's own name: the caller owns that directory.
            let serial = serial.wrappingAdd(1, ordering: .relaxed).newValue
            let moved = Array(".removing-\(getpid())-\(serial)".utf8)
            let status = call(name) { old in call(moved + [0]) { renameat(parent, old, top, $0) } }
            guard status == 0 else { throw Errno(rawValue: errno) }
            pending.append(moved)
            return
        }
        let directory = call(name) { openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard directory >= 0 else { throw Errno(rawValue: errno) }
        defer { close(directory) }
        for child in try DirectoryListing.names(of: directory) {
            try remove(child, in: directory, top: top, depth: depth + 1, pending: &pending)
        }
        guard call(name, { unlinkat(parent, $0, AT_REMOVEDIR) }) == 0 || errno == ENOENT else {
            throw Errno(rawValue: errno)
        }
    }

    private static func call(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Int32) -> Int32 {
        name.withUnsafeBytes { body($0.bindMemory(to: CChar.self).baseAddress.unsafelyUnwrapped) }
    }
}
