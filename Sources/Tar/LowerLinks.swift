import Glibc
import SystemPackage

// What becomes of an entry below a symbolic link that only a layer below has: with `lib -> usr/lib` there, `lib/x`.
//
// Docker (overlay2) and containerd unpack a layer into a directory of its own, in which there is no such link. They
// make a directory `lib`, and it hides the link; `usr/lib` stays as it is. Images are made and tried with these two, so
// that is what an image means, with every driver: where layers are unpacked upon those below, the link is replaced by
// a directory. A link of the layer itself is followed.
extension LayerApplier {
    /// Replaces the links of layers below that are on the way to the directory at `path`.
    mutating func replaceLowerLinks(on path: ArraySlice<UInt8>) throws(ArchiveError) {
        guard !path.isEmpty else { return }
        let directory = RootedPath.openBeneath(root, Array(path) + [0])
        guard directory < 0 else {
            close(directory)
            return
        }
        guard errno == ELOOP else { return }
        var way = Way(remaining: Self.components(path).reversed())
        while let name = way.remaining.popLast() {
            if name.elementsEqual("..".utf8) {
                way.stack = Array(way.stack.dropLast())
            } else if !name.elementsEqual(".".utf8) {
                guard try step(to: name, &way) else { return }
            }
        }
    }

    /// How far a path has been walked: directories without links in their paths, and what is left, the next one last.
    private struct Way {
        var stack: [ArraySlice<UInt8>] = []
        var remaining: [ArraySlice<UInt8>]
        var links = 0
    }

    private static func components(_ path: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        path.split(separator: UInt8(ascii: "/"))
    }

    /// Goes into `name`, or where it leads. False: there is nothing, or no directory, which is for the caller to see.
    private mutating func step(to name: ArraySlice<UInt8>, _ way: inout Way) throws(ArchiveError) -> Bool {
        guard let place = EntryPath(Array((way.stack + [name]).joined(separator: [UInt8(ascii: "/")]))),
            let parent = try directories.directory(at: place.parent),
            let node = try FileNode(Array(name), in: parent.descriptor)
        else { return false }
        switch node.status.st_mode & S_IFMT {
        case S_IFDIR:
            way.stack.append(name)
            return true
        case S_IFLNK where madeLinks.contains(node.status.st_ino):
            way.links += 1
            guard way.links <= Self.linkLimit else { return false }
            let target = try node.target()
            if target.first == UInt8(ascii: "/") { way.stack = [] }
            way.remaining += Self.components(target[...]).reversed()
            return true
        case S_IFLNK:
            try Self.check("remove", place) { unlinkat(parent.descriptor, $0, 0) }
            try makeImpliedDirectory(place, in: parent, for: place)
            // The link may have been resolved on the way to others.
            directories.forget()
            way.stack.append(name)
            return true
        default: return false
        }
    }

    /// Remembers that the layer has made the symbolic link at `path`.
    mutating func noteLink(_ path: EntryPath, in parent: DirectoryCache.Directory) throws(ArchiveError) {
        var status = stat()
        try Self.check("stat", path) { fstatat(parent.descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }
        madeLinks.insert(status.st_ino)
    }
}
