import Glibc
import LinuxKernel
import SystemPackage

/// How overlayfs is mounted here: what the kernel was built or told to do by itself, and what a user namespace allows.
struct OverlayOptions: Sendable {
    /// The process is root in a user namespace only, where overlayfs keeps its notes in attributes that begin with
    /// `user.`.
    let isInUserNamespace: Bool
    /// `userxattr`, and what is switched off because an upper directory would not be a layer then.
    let common: [String]

    /// - Parameter isInUserNamespace: `nil` finds it out.
    init(isInUserNamespace given: Bool? = nil) {
        isInUserNamespace = given ?? Self.processIsInUserNamespace
        // An index would tie the upper directory to this set of lower ones for ever, for the sake of NFS.
        var options = ["index=off"]
        if isInUserNamespace {
            options.append("userxattr")
        } else {
            // With these an upper directory has files without content and directories without files, that make sense
            // upon these lower ones only. Kernels that do not know the words do not have the features either.
            for parameter in ["metacopy", "redirect_dir"] where Self.isOn(parameter) {
                options.append("\(parameter)=off")
            }
        }
        common = options
    }

    /// Whether the ids of this process are not the machine's.
    private static var processIsInUserNamespace: Bool {
        // A kernel without user namespaces has no such file.
        guard let map = try? Files.readText("/proc/self/uid_map") else { return false }
        return map.split(whereSeparator: \.isWhitespace) != ["0", "0", "4294967295"]
    }

    private static func isOn(_ parameter: String) -> Bool {
        // The module is loaded with the first overlay; its defaults are as the kernel was built, mostly off. One that
        // is not loaded now was not when the probe had mounted one.
        (try? Files.readText(FilePath("/sys/module/overlay/parameters/\(parameter)"))) == "Y"
    }

    /// The mount of `upper` upon `lower`, the topmost first.
    func mount(lower: [FilePath], upper: FilePath, work: FilePath, isDisposable: Bool) throws(SnapshotError)
        -> SnapshotMount
    {
        var options: [String] = []
        if isDisposable {
            // Else the kernel writes the whole file system that holds the snapshot to disk before it lets the mount go.
            // It leaves a mark which keeps such a directory from being mounted again, in case it was not complete after
            // a crash.
            options.append("volatile")
            let mark = work.appending("work/incompat")
            do throws(Errno) {
                if Files.exists(mark) { try TreeRemoval.remove(mark) }
            } catch {
                throw .system("remove", mark, error)
            }
        }
        options += [
            "lowerdir=" + lower.map(\.string).joined(separator: ":"), "upperdir=" + upper.string,
            "workdir=" + work.string,
        ]
        return SnapshotMount(type: "overlay", source: "overlay", options: options + common)
    }

    /// Refuses directories whose names would mean something else within the options.
    static func check(_ root: FilePath, driver: String) throws(SnapshotError) {
        if root.string.contains(where: { $0 == ":" || $0 == "," || $0 == "\\" }) {
            throw .unavailable(
                driver: driver,
                "overlayfs does not take layers below \(root), because the path contains a colon, comma or backslash; "
                    + "use another --data-root"
            )
        }
    }
}
