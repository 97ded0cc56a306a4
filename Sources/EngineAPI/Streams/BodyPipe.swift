import HTTPServing
import LinuxKernel
import NIOCore
import NIOPosix
import struct SystemPackage.FileDescriptor

/// A stream that comes over the network as a file descriptor, for readers that block (tar archives).
enum BodyPipe {
    /// Pumps `body` into a socket while `use` reads from its other end.
    ///
    /// The client is slowed down to the speed of `use`. When `use` ends early the rest of the body is not read. When
    /// the client breaks off, `use` is cancelled before it can see an end of file, so that half an archive is never
    /// taken for a whole one.
    static func reading<Result: Sendable>(
        _ body: RequestBody, on group: any EventLoopGroup,
        _ use: @escaping @Sendable (FileDescriptor) async throws -> Result
    ) async throws -> Result {
        try await reading({ try await body.nextPiece() }, on: group, use)
    }

    /// The same with pieces from anywhere; `nil` ends them.
    static func reading<Result: Sendable>(
        _ next: @escaping @Sendable () async throws -> ByteBuffer?, on group: any EventLoopGroup,
        _ use: @escaping @Sendable (FileDescriptor) async throws -> Result
    ) async throws -> Result {
        // A socket pair and not a pipe, because it can be made close-on-exec from Swift in one step: a writing end
        // inherited by a child would keep the reader waiting for ever.
        let (readEnd, writeEnd) = try UnixSocket.pair(.stream)
        let writer: any Channel
        do {
            writer = try await ClientBootstrap(group: group).channelOption(.autoRead, value: false)
                .withConnectedSocket(writeEnd.rawValue).get()
        } catch {
            readEnd.discard()
            throw error
        }
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                defer { readEnd.discard() }
                return try await use(readEnd)
            }
            group.addTask {
                while let piece = try await Self.piece(next) {
                    do {
                        try await writer.writeAndFlush(piece)
                    } catch {
                        break  // the reader has ended; what it returned or threw is the result
                    }
                }
                await close(writer)
                return nil
            }
            do {
                var result: Result?
                while let next = try await group.next() {
                    if let next {
                        result = next
                        group.cancelAll()
                        break
                    }
                }
                await close(writer)
                guard let result else { throw HTTPServerError.connectionClosed }
                return result
            } catch let error as BrokenBody {
                group.cancelAll()
                await close(writer)
                throw error.reason
            } catch {
                group.cancelAll()
                await close(writer)
                throw error
            }
        }
    }

    private static func piece(_ next: @Sendable () async throws -> ByteBuffer?) async throws -> ByteBuffer? {
        do {
            return try await next()
        } catch {
            throw BrokenBody(reason: error)
        }
    }

    private static func close(_ writer: any Channel) async {
        // It fails only where it is closed already.
        try? await writer.close()
    }

    private struct BrokenBody: Error {
        let reason: any Error
    }
}
