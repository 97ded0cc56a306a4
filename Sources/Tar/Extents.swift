import Glibc

/// Where a file has data, and where it has holes.
enum Extents {
    /// `SEEK_DATA` and `SEEK_HOLE` of lseek(2), which glibc's module does not show everywhere.
    private static let seekData: Int32 = 3
    private static let seekHole: Int32 = 4

    /// Holes of fewer bytes in all are not worth an entry that not every reader understands.
    static let worthwhile: Int64 = 16 << 20
    /// Go's reader takes a map of at most one megabyte.
    private static let limit = 8192

    /// Where data begins at or behind a position; `nil` if there is none. A file system that knows no holes has data
    /// everywhere.
    static func data(in file: Int32, from position: Int64) -> Int64? {
        let found = Int64(lseek(file, off_t(position), seekData))
        if found >= 0 { return found }
        return errno == ENXIO ? nil : position
    }

    /// Where the data at a position ends; `nil` if it does not before the end of the file.
    static func hole(in file: Int32, from position: Int64) -> Int64? {
        let found = Int64(lseek(file, off_t(position), seekHole))
        return found > position ? found : nil
    }

    /// Whether a file of this status may be one that `ofLargelySparse` tells the parts of.
    static func isLargelySparse(_ status: stat) -> Bool {
        Int64(status.st_size) - Int64(status.st_blocks) * 512 >= worthwhile
    }

    /// The parts with data of a file that consists of holes to a good deal; `nil` for any other.
    static func ofLargelySparse(_ file: Int32, _ status: stat) -> [SparseExtent]? {
        guard isLargelySparse(status) else { return nil }
        let size = Int64(status.st_size)
        var smallestHole: Int64 = 64 << 10
        while smallestHole < size {
            if let extents = extents(of: file, size: size, smallestHole: smallestHole) {
                let holes = size - extents.reduce(0) { $0 + $1.length }
                return holes >= worthwhile ? extents : nil
            }
            // Too many: smaller holes become data.
            smallestHole *= 4
        }
        return nil
    }

    private static func extents(of file: Int32, size: Int64, smallestHole: Int64) -> [SparseExtent]? {
        var extents: [SparseExtent] = []
        var position: Int64 = 0
        while position < size, let data = data(in: file, from: position), data < size {
            let end = min(hole(in: file, from: data) ?? size, size)
            if let last = extents.last, data - (last.offset + last.length) < smallestHole {
                extents[extents.count - 1].length = end - last.offset
            } else {
                guard extents.count < limit else { return nil }
                extents.append(SparseExtent(offset: data, length: end - data))
            }
            position = end
        }
        return extents
    }
}
