import BlockingCalls
import Distribution
import HTTPServing
import LinuxKernel
import NIOHTTP1
import SystemPackage

/// The bytes of a blob for an answer: all here, or on their way.
enum BlobContent: Sendable {
    case file(FileRange)
    case arriving(BlobTransfer, FileRange, BlockingPool)

    init(_ blob: PullThrough.Blob, pool: BlockingPool) {
        switch blob {
        case .stored(let file, let size): self = .file(FileRange(owning: file, offset: 0, count: size))
        case .arriving(let transfer, let file):
            self = .arriving(transfer, FileRange(owning: file, offset: 0, count: transfer.size), pool)
        }
    }

    /// In bytes.
    var size: Int64 {
        switch self {
        case .file(let range): range.count
        case .arriving(let transfer, _, _): transfer.size
        }
    }

    /// An answer of `count` bytes from `first` on.
    func response(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, from first: Int64, count: Int64
    ) -> HTTPResponse {
        switch self {
        case .file(let range):
            return HTTPResponse(status: status, headers: headers, body: .file(range.part(from: first, count: count)))
        case .arriving(let transfer, let range, let pool):
            var headers = headers
            headers.add(name: "Content-Length", value: "\(count)")
            return HTTPResponse(
                status: status, headers: headers,
                body: .stream { writer in
                    var position = first
                    let end = first + count
                    while position < end {
                        let arrived = try await transfer.wait(beyond: position)
                        while position < min(arrived, end) {
                            let (offset, limit) = (position, Int(min(min(arrived, end) - position, 256 << 10)))
                            let piece = try await pool.run { try range.piece(at: offset, limit: limit) }
                            try await writer.write(piece)
                            position += Int64(piece.count)
                        }
                    }
                })
        }
    }
}
