import SystemPackage

/// The path of an entry inside the directory it is unpacked to: cleaned, relative, without `.` and `..`.
///
/// The bytes end with a NUL, so that parts of it can be handed to the kernel as they are.
struct EntryPath: Hashable {
    /// The components joined by slashes, and a NUL; only a NUL for the root itself.
    let bytes: [UInt8]
    /// Where the last component begins.
    let nameStart: Int

    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    /// Cleans a name as found in an archive. `nil` if it leads out of the root.
    ///
    /// A leading slash means the root of the unpacked tree, as with Docker. `..` is resolved by the text alone, before
    /// the kernel sees the path: whatever symbolic links the archive has made, none is followed on account of it.
    ///
    /// - Parameter staysInside: `..` leads no higher than the root, as for the kernel.
    init?(_ name: [UInt8], staysInside: Bool = false) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.count + 1)
        var starts: [Int] = []
        var position = 0
        while position < name.count {
            if name[position] == Self.slash {
                position += 1
                continue
            }
            var end = position
            while end < name.count, name[end] != Self.slash { end += 1 }
            let length = end - position
            if length == 1, name[position] == Self.dot {
                // stays where it is
            } else if length == 2, name[position] == Self.dot, name[position + 1] == Self.dot {
                if let last = starts.popLast() {
                    bytes.removeLast(bytes.count - max(0, last - 1))
                } else if !staysInside {
                    return nil
                }
            } else {
                if !bytes.isEmpty { bytes.append(Self.slash) }
                starts.append(bytes.count)
                bytes.append(contentsOf: name[position..<end])
            }
            position = end
        }
        bytes.append(0)
        self.bytes = bytes
        nameStart = starts.last ?? 0
    }

    private init(bytes: [UInt8], nameStart: Int) {
        self.bytes = bytes
        self.nameStart = nameStart
    }

    var isRoot: Bool { bytes.count == 1 }

    /// The path of the directory that holds the entry, without a NUL; empty for the root.
    var parent: ArraySlice<UInt8> { bytes[..<max(0, nameStart - 1)] }

    /// The last component, without a NUL.
    var name: ArraySlice<UInt8> { bytes[nameStart..<(bytes.count - 1)] }

    /// The same directory, another last component.
    func sibling(_ name: some Collection<UInt8>) -> EntryPath {
        EntryPath(bytes: bytes[..<nameStart] + name + [0], nameStart: nameStart)
    }

    /// All of it without the NUL.
    var text: ArraySlice<UInt8> { bytes[..<(bytes.count - 1)] }

    /// The same for messages.
    var shown: String { shownName(text) }

    /// The same path for further calls; `.` for the root.
    var filePath: FilePath {
        isRoot
            ? "."
            : bytes.withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) { FilePath(platformString: $0.baseAddress.unsafelyUnwrapped) }
            }
    }
}

/// At most 255 bytes of a name that somebody else chose, for messages: one line, and nothing that a terminal obeys or
/// that turns the direction of the text around.
package func shownName(_ bytes: some Collection<UInt8>) -> String {
    var text = ""
    for scalar in String(decoding: bytes.prefix(255), as: UTF8.self).unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            text += scalar.escaped(asASCII: true)
        default: text.unicodeScalars.append(scalar)
        }
    }
    return bytes.count > 255 ? text + "…" : text
}
