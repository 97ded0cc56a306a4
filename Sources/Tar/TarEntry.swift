/// One entry of a tar archive, whichever of the formats it is written in.
package struct TarEntry: Hashable, Sendable {
    /// What an entry makes.
    package enum Kind: Hashable, Sendable {
        case file
        case hardLink
        case symbolicLink
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        case directory
        case fifo
    }

    /// An extended attribute: a name and any bytes.
    package struct ExtendedAttribute: Hashable, Sendable {
        /// With its name space: `user.`, `security.`, …
        package var name: [UInt8]
        /// Any bytes.
        package var value: [UInt8]

        /// An attribute of this name and value.
        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// What the entry makes.
    package var kind: Kind
    /// As written in the archive: any bytes but NUL, nothing checked or cleaned.
    package var name: [UInt8]
    /// The target of a link; empty for other kinds.
    package var linkName: [UInt8] = []
    /// The permission bits with set-uid, set-gid and sticky.
    package var mode: UInt32
    /// The user id.
    package var owner: UInt32 = 0
    /// The group id.
    package var group: UInt32 = 0
    /// Of a file: its size in bytes, holes included.
    package var size: Int64 = 0
    /// Seconds since 1970, and nanoseconds after them.
    package var modified: (seconds: Int64, nanoseconds: Int64) {
        get { (modifiedSeconds, modifiedNanoseconds) }
        set { (modifiedSeconds, modifiedNanoseconds) = newValue }
    }
    private var modifiedSeconds: Int64 = 0
    private var modifiedNanoseconds: Int64 = 0
    package var extendedAttributes: [ExtendedAttribute] = []
    /// Of a sparse file: the parts that have data, in order. `nil`: all of it.
    package var extents: [SparseExtent]?

    /// An entry of root's, modified in 1970; everything else is set afterwards.
    package init(kind: Kind, name: [UInt8], mode: UInt32) {
        self.kind = kind
        self.name = name
        self.mode = mode
    }

    /// The name for messages, bytes that are no UTF-8 replaced.
    package var displayName: String { shownName(name) }
}

/// A part of a sparse file that has data.
package struct SparseExtent: Hashable, Sendable {
    /// Where the data begins, in bytes.
    package var offset: Int64
    /// How many bytes of data there are.
    package var length: Int64

    package init(offset: Int64, length: Int64) {
        self.offset = offset
        self.length = length
    }
}
