import CLinux
import Glibc
import SystemPackage

/// Extended attributes; xattr(7).
package enum ExtendedAttributes {
    /// The names on the file `path` (of a symbolic link, on itself).
    package static func names(of path: FilePath) throws(Errno) -> [String] {
        let bytes = try sized { buffer, size in path.withPlatformString { llistxattr($0, buffer, size) } }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The value of `name` on the file `path`.
    package static func get(_ name: String, of path: FilePath) throws(Errno) -> [UInt8] {
        try sized { buffer, size in
            path.withPlatformString { path in name.withCString { lgetxattr(path, $0, buffer, size) } }
        }
    }

    /// Sets `name` on the file `path`.
    package static func set(_ name: String, to value: [UInt8], of path: FilePath) throws(Errno) {
        let result = path.withPlatformString { path in
            name.withCString { name in value.withUnsafeBytes { lsetxattr(path, name, $0.baseAddress, $0.count, 0) } }
        }
        if result < 0 { throw Errno(rawValue: errno) }
    }

    /// Sets `name` on what `descriptor` refers to.
    package static func set(_ name: String, to value: [UInt8], of descriptor: FileDescriptor) throws(Errno) {
        let result = name.withCString { name in
            value.withUnsafeBytes { fsetxattr(descriptor.rawValue, name, $0.baseAddress, $0.count, 0) }
        }
        if result < 0 { throw Errno(rawValue: errno) }
    }

    /// Takes `name` from the file `path`.
    package static func remove(_ name: String, of path: FilePath) throws(Errno) {
        let result = path.withPlatformString { path in name.withCString { lremovexattr(path, $0) } }
        if result < 0 { throw Errno(rawValue: errno) }
    }

    /// Calls `read` with a large enough buffer.
    private static func sized(_ read: (UnsafeMutablePointer<CChar>?, Int) -> Int) throws(Errno) -> [UInt8] {
        while true {
            let size = read(nil, 0)
            if size < 0 { throw Errno(rawValue: errno) }
            if size == 0 { return [] }
            var bytes = [CChar](repeating: 0, count: size)
            let count = read(&bytes, size)
            if count >= 0 { return bytes[..<count].map { UInt8(bitPattern: $0) } }
            if errno != ERANGE { throw Errno(rawValue: errno) }
        }
    }
}
