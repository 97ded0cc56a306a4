import NIOCore

extension ChannelPipeline.SynchronousOperations {
    /// Adds the client's side of TLS.
    ///
    /// - Parameters:
    ///   - host: the server's name or numeric address.
    ///   - handshakeTime: how long the server may take to agree on keys; `nil` for ever.
    /// - Throws: `TLSError.unusable` if `host` cannot be the name of a server; what adding a handler throws.
    package func addTLS(client context: TLSContext, to host: String, handshakeTime: TimeAmount?) throws {
        let connection = try TLSConnection(context, server: host)
        try addHandler(TLSHandler(connection, handshakeTime: handshakeTime), name: TLSHandler.name)
    }

    /// Adds the server's side of TLS. Whoever is above it watches how long the client takes.
    ///
    /// - Throws: what adding a handler throws.
    package func addTLS(server context: TLSContext) throws {
        let connection = try TLSConnection(context, server: nil)
        try addHandler(TLSHandler(connection, handshakeTime: nil), name: TLSHandler.name)
    }
}
