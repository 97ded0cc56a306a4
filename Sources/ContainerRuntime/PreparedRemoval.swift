import Cgroups
import JSON
import LinuxKernel
import SystemPackage

/// What there is to know of a container that is going to be removed.
package struct PreparedRemoval {
    let record: StoredContainer
    let cgroup: Cgroup?
    private let file: FilePath
    private let bytes: [UInt8]

    init?(directory: FilePath, id: String) {
        file = directory.appending(StoredContainer.fileName)
        // Whatever is wrong with it, `delete` comes to the same and tells it.
        guard let bytes = try? Files.read(file), let json = try? JSON.parse(bytes),
            let record = try? StoredContainer(json: json), let cgroup = try? record.cgroup()
        else { return nil }
        self.bytes = bytes
        self.record = record
        self.cgroup = cgroup
    }

    /// Whether the container is gone: somebody else has removed it, and perhaps made another with the same id.
    var isGone: Bool {
        do throws(Errno) {
            return try Files.read(file) != bytes
        } catch {
            return error == .noSuchFileOrDirectory || error == .notDirectory
        }
    }
}
