import Glibc
import SystemPackage

/// A piece of memory that costs nothing until it is used, and nothing again after `release`.
///
/// There is one shim for each container, hundreds on a machine, and nearly all of them have nothing to do: buffers
/// large enough for a busy one must not stay with an idle one.
package final class PageBuffer {
    /// All of it.
    package let bytes: UnsafeMutableRawBufferPointer

    /// `count` bytes, a multiple of the page size.
    package init(count: Int) throws(Errno) {
        let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { throw Errno(rawValue: errno) }
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
    }

    /// Gives the memory back to the kernel; what was in it is lost.
    func release() {
        madvise(bytes.baseAddress, bytes.count, Int32(MADV_DONTNEED))
    }
}
