import CLinux
import Glibc
import SystemPackage

/// Directories a layer uses without saying what they are like.
package enum ImpliedDirectories {
    /// Gives directories in `layer` the owner, mode, times and attributes of those that they will stand before in the
    /// layers `below` (nearest first). One that is in none of them stays as it is.
    package static func complete(
        _ paths: [FilePath], in layer: FilePath, below: [FilePath]
    ) throws(ArchiveError) {
        let layerRoot = try openRoot(layer)
        defer { close(layerRoot) }
        var open = paths
        for lower in below where !open.isEmpty {
            let root = try openRoot(lower)
            defer { close(root) }
            var rest: [FilePath] = []
            for path in open where try !copyAttributes(of: path, from: root, to: layerRoot) { rest.append(path) }
            open = rest
        }
    }

    private static func openRoot(_ path: FilePath) throws(ArchiveError) -> Int32 {
        let root = path.withPlatformString { Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard root >= 0 else { throw .system("open", path.string, Errno(rawValue: errno)) }
        return root
    }

    /// Whether `path` is a directory in the tree of `source`.
    private static func copyAttributes(
        of path: FilePath, from source: Int32, to layer: Int32
    ) throws(ArchiveError) -> Bool {
        let name = Array(path.string.utf8) + [0]
        let model = RootedPath.open(source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard model >= 0 else { return false }
        defer { close(model) }
        let target = RootedPath.open(layer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard target >= 0 else { throw .system("open directory", path.string, Errno(rawValue: errno)) }
        defer { close(target) }
        var status = stat()
        guard fstat(model, &status) == 0, fchown(target, status.st_uid, status.st_gid) == 0,
            fchmod(target, status.st_mode & 0o7777) == 0
        else { throw .system("set attributes of", path.string, Errno(rawValue: errno)) }
        return true
    }
}
