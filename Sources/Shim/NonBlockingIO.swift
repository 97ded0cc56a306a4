import Glibc
import SystemPackage

/// What became of a read or write on a descriptor that does not block.
enum Transfer {
    /// So many bytes, more than zero.
    case bytes(Int)
    /// Nothing now; later.
    case wouldBlock
    /// The other side has closed.
    case ended
    case failed(Errno)

    private static func result(_ call: () -> Int) -> Transfer {
        while true {
            let count = call()
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EPIPE, ECONNRESET: return .ended
            default: return .failed(Errno(rawValue: errno))
            }
        }
    }

    /// read(2).
    static func read(_ descriptor: FileDescriptor, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        result { Glibc.read(descriptor.rawValue, buffer.baseAddress, buffer.count) }
    }

    /// write(2).
    static func write(_ descriptor: FileDescriptor, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        result { Glibc.write(descriptor.rawValue, bytes.baseAddress, bytes.count) }
    }

    /// send(2) on a socket.
    static func send(_ socket: FileDescriptor, _ bytes: UnsafeRawBufferPointer) -> Transfer {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        return result { Glibc.send(socket.rawValue, bytes.baseAddress, bytes.count, flags) }
    }
}
