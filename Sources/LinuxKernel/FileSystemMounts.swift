import Glibc
import SystemPackage

// File systems by the calls that work on descriptors (fsopen(2) and its sisters): detached mounts, which no mount table
// shows before they are attached, and which go with their descriptor if they never are.
extension Mounts {
    /// An overlay of any number of layers that the kernel allows (500), as a detached mount. From Linux 6.7 on.
    ///
    /// - Parameters:
    ///   - lower: Directories, the topmost first.
    ///   - options: What else overlayfs understands, in the form of mount(8): `upperdir=…`, `index=off`, `volatile`.
    package static func newOverlay(
        lower: [String], options: [String], attributes: MountAttributes = []
    ) throws(Errno) -> FileDescriptor {
        var handles: [FileDescriptor] = []
        defer { for handle in handles { handle.discard() } }
        var pairs: [(key: String, value: String?)] = []
        for path in lower { pairs.append(("lowerdir+", try short(path, &handles))) }
        for option in options {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            var value = parts.count == 2 ? parts[1] : nil
            if let path = value, parts[0] == "upperdir" || parts[0] == "workdir" { value = try short(path, &handles) }
            pairs.append((parts[0], value))
        }
        return try newFileSystem("overlay", source: "overlay", options: pairs, attributes: attributes)
    }

    /// A path that fsconfig(2) takes, which refuses strings of 256 bytes and more.
    private static func short(_ path: String, _ handles: inout [FileDescriptor]) throws(Errno) -> String {
        guard path.utf8.count > 255 else { return path }
        let handle = try Files.open(FilePath(path), .path)
        handles.append(handle)
        return handle.procPath.string
    }

    /// The read-only file system in the file `image`, as a detached mount: from the file itself where the kernel can do
    /// so (erofs, Linux 6.12), else by way of a loop device that goes with the mount.
    ///
    /// - Parameter mayUseLoop: If not, a kernel that needs the loop device gives `ENOTBLK`.
    package static func newImage(
        _ type: String, _ image: FilePath, mayUseLoop: Bool = true
    ) throws(Errno) -> FileDescriptor {
        let attributes: MountAttributes = [.readOnly]
        do throws(Errno) {
            var handles: [FileDescriptor] = []
            defer { for handle in handles { handle.discard() } }
            return try newFileSystem(
                type, source: try short(image.string, &handles), options: [("ro", nil)], attributes: attributes)
        } catch .notBlockDevice where mayUseLoop {
            let device = try LoopDevice.attach(image, readOnly: true)
            defer { device.descriptor.discard() }
            return try newFileSystem(
                type, source: device.path.string, options: [("ro", nil)], attributes: attributes)
        }
    }

    /// Whether the kernel has a file system of this type, if need be as a module that it loads now.
    package static func hasFileSystem(_ type: String) -> Bool {
        do throws(Errno) {
            try newContext(type).discard()
            return true
        } catch {
            return false
        }
    }
}
