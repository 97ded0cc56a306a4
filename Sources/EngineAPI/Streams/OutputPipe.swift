import HTTPServing
import LinuxKernel
import NIOCore
import NIOPosix
import struct SystemPackage.FileDescriptor

/// What a blocking writer writes to a descriptor, as the body of a response.
enum OutputPipe {
    /// Hands `produce` one end of a socket and sends the client what comes out of the other.
    ///
    /// The writer is slowed down to the client's speed. When the client goes away the writer sees its reader gone, and
    /// the task is cancelled. An error of the writer is thrown here; the client has then got the beginning.
    static func stream(
        to body: BodyWriter, on group: any EventLoopGroup,
        _ produce: @escaping @Sendable (FileDescriptor) async throws -> Void
    ) async throws {
        let (readEnd, writeEnd) = try UnixSocket.pair(.stream)
        let channel: NIOAsyncChannel<ByteBuffer, Never>
        do {
            channel = try await ClientBootstrap(group: group)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: pieceSize))
                .channelOption(.maxMessagesPerRead, value: 4)
                .withConnectedSocket(readEnd.rawValue) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            readEnd.discard()
            writeEnd.discard()
            throw error
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { writeEnd.discard() }
                try await produce(writeEnd)
            }
            do {
                try await channel.executeThenClose { pieces in
                    for try await piece in pieces { try await body.write(piece.readableBytesView) }
                }
                try await group.waitForAll()
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    private static let pieceSize = 256 << 10
}
