import Glibc
import SystemPackage

/// The names in a directory.
package enum DirectoryListing {
    /// All names but `.` and `..`, in the order of the file system, as bytes. `directory` stays the caller's; its
    /// position is moved.
    package static func names(of directory: Int32) throws(Errno) -> [[UInt8]] {
        // A descriptor of its own: closedir(3) closes the one it was given.
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        guard let stream = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw Errno(rawValue: code)
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                return names
            }
            let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19  // 19 on every 64-bit Linux
            let start = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
            let name = Array(UnsafeRawBufferPointer(start: start, count: strlen(start)))
            if name == [0x2e] || name == [0x2e, 0x2e] { continue }
            names.append(name)
        }
    }

    /// The same for the directory at `path`.
    package static func names(of path: FilePath) throws(Errno) -> [[UInt8]] {
        let directory = path.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard directory >= 0 else { throw Errno(rawValue: errno) }
        defer { close(directory) }
        return try names(of: directory)
    }
}
