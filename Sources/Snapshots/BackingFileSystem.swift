import LinuxKernel
import SystemPackage

/// The file system below a directory, by the name that `docker info` has for it.
enum BackingFileSystem {
    private static let names: [FileSystemType: String] = [
        .ext: "extfs", .xfs: "xfs", .btrfs: "btrfs", .tmpfs: "tmpfs", .overlay: "overlayfs", .ramfs: "ramfs",
        FileSystemType(rawValue: 0xf2f5_2010): "f2fs", FileSystemType(rawValue: 0x2fc1_2fc1): "zfs",
        FileSystemType(rawValue: 0x6969): "nfs", FileSystemType(rawValue: 0x6573_5546): "fuse",
        FileSystemType(rawValue: 0xca45_1a4e): "bcachefs",
    ]

    static func name(of directory: FilePath) -> String {
        // Only for people to read; one that cannot be asked has no name either.
        (try? FileSystemType.of(directory)).flatMap { names[$0] } ?? "<unknown>"
    }
}
