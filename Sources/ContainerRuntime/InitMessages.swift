import LinuxKernel
import SystemPackage

/// What a new process tells the runtime that makes it.
///
/// A message is a letter and what belongs to it; numbers have their most significant byte first. Both sides have this
/// type alone for the bytes: what one writes the other reads.
package enum InitReport: Hashable, Sendable {
    /// It cannot go on.
    case failure(RuntimeError)
    /// The caller of the runtime should know this.
    case warning(String)
    /// It has made the process that takes its place; `needsGroup`: which is not in its control group yet.
    case replaced(by: Int32, needsGroup: Bool)
    /// Here is the master side of the terminal, which goes with the message as a descriptor.
    case console(FileDescriptor)
    /// It needs the source of this mount of the configuration (`MountSources`).
    case sourceRequest(Int)
    /// It is under its filter; the descriptor with this number, in that process, answers the filter's questions.
    case listening(Int32)
    /// All namespaces and mounts are there; hooks can run now.
    case readyForHooks
    /// Everything is done up to the start.
    case ready

    /// The bytes to be sent.
    package var bytes: [UInt8] {
        switch self {
        case .failure(let error): [UInt8(ascii: "E")] + error.bytes
        case .warning(let text): [UInt8(ascii: "W")] + Array(text.utf8.prefix(RuntimeError.longestText))
        case .replaced(let pid, let needsGroup): [UInt8(ascii: "P"), needsGroup ? 1 : 0] + pid.bigEndianBytes
        case .console: [UInt8(ascii: "C")]
        case .sourceRequest(let index): [UInt8(ascii: "M")] + Int32(clamping: index).bigEndianBytes
        case .listening(let number): [UInt8(ascii: "S")] + number.bigEndianBytes
        case .readyForHooks: [UInt8(ascii: "N")]
        case .ready: [UInt8(ascii: "R")]
        }
    }

    /// The descriptors to be sent with them.
    package var descriptors: [FileDescriptor] {
        if case .console(let master) = self { [master] } else { [] }
    }

    /// The report that came as `bytes` with `descriptors`; `nil` if it is none.
    package init?(_ bytes: [UInt8], _ descriptors: [FileDescriptor] = []) {
        let rest = bytes.dropFirst()
        switch bytes.first {
        case UInt8(ascii: "E"): self = .failure(RuntimeError(bytes: rest))
        case UInt8(ascii: "W"): self = .warning(String(decoding: rest, as: UTF8.self))
        case UInt8(ascii: "P"):
            guard let needsGroup = rest.first, let pid = Int32(bigEndianBytes: rest.dropFirst()) else { return nil }
            self = .replaced(by: pid, needsGroup: needsGroup != 0)
        case UInt8(ascii: "C"):
            guard descriptors.count == 1 else { return nil }
            self = .console(descriptors[0])
        case UInt8(ascii: "M"):
            guard let index = Int32(bigEndianBytes: rest) else { return nil }
            self = .sourceRequest(Int(index))
        case UInt8(ascii: "S"):
            guard let number = Int32(bigEndianBytes: rest) else { return nil }
            self = .listening(number)
        case UInt8(ascii: "N"): self = .readyForHooks
        case UInt8(ascii: "R"): self = .ready
        default: return nil
        }
    }
}

/// What the runtime tells a new process.
package enum InitOrder: Hashable, Sendable {
    /// The control group exists (and the user namespace has its ids).
    case enterCgroup
    /// Hooks have run.
    case hooksDone
    /// Limits are set; here is the system call filter, if there is one.
    case goOn(filter: [UInt8])
    /// The runtime has its own copy of the filter's listener.
    case listenerTaken

    /// The longest order: the largest filter the kernel takes has 4096 instructions of 8 bytes.
    static let longest = 33 * 1024

    /// The bytes to be sent.
    package var bytes: [UInt8] {
        switch self {
        case .enterCgroup: [UInt8(ascii: "G")]
        case .hooksDone: [UInt8(ascii: "H")]
        case .goOn(let filter): [UInt8(ascii: "L")] + filter
        case .listenerTaken: [UInt8(ascii: "T")]
        }
    }

    /// The order that came as `bytes`; `nil` if it is none.
    package init?(_ bytes: [UInt8]) {
        switch bytes.first {
        case UInt8(ascii: "G"): self = .enterCgroup
        case UInt8(ascii: "H"): self = .hooksDone
        case UInt8(ascii: "L"): self = .goOn(filter: Array(bytes.dropFirst()))
        case UInt8(ascii: "T"): self = .listenerTaken
        default: return nil
        }
    }
}

/// What the runtime answers to `InitReport.sourceRequest`, on a connection of its own.
package enum SourceAnswer: Hashable, Sendable {
    /// The detached mount, which goes with the message as a descriptor.
    case tree(FileDescriptor)
    /// Why there is none.
    case failure(RuntimeError)

    /// The bytes to be sent.
    package var bytes: [UInt8] {
        switch self {
        case .tree: [UInt8(ascii: "D")]
        case .failure(let error): [UInt8(ascii: "E")] + error.bytes
        }
    }

    /// The descriptors to be sent with them.
    package var descriptors: [FileDescriptor] {
        if case .tree(let tree) = self { [tree] } else { [] }
    }

    /// The answer that came as `bytes` with `descriptors`; `nil` if it is none.
    package init?(_ bytes: [UInt8], _ descriptors: [FileDescriptor] = []) {
        switch bytes.first {
        case UInt8(ascii: "D"):
            guard descriptors.count == 1 else { return nil }
            self = .tree(descriptors[0])
        case UInt8(ascii: "E"): self = .failure(RuntimeError(bytes: bytes.dropFirst()))
        default: return nil
        }
    }
}

extension RuntimeError {
    /// How much of a message goes from one process to another.
    static let longestText = 8192

    /// The kind, the stage and the message, with null bytes between them: what a process that is being made says of its
    /// failure.
    package var bytes: [UInt8] {
        let words = [kind.rawValue, at(.initialization).stage.rawValue, message]
        return Array(words.map { $0.utf8.prefix(Self.longestText) }.joined(separator: [0]))
    }

    /// The error that another process has put into `bytes`.
    package init(bytes: some Collection<UInt8>) {
        let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard parts.count == 3, let kind = Kind(rawValue: parts[0]) else {
            self.init(.system, "unreadable error")
            return
        }
        self = RuntimeError(kind, parts[2]).at(Stage(rawValue: parts[1]) ?? .initialization)
    }
}

extension Int32 {
    fileprivate var bigEndianBytes: [UInt8] {
        (0..<4).reversed().map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
    }

    /// The number that exactly four bytes spell.
    fileprivate init?(bigEndianBytes bytes: some Collection<UInt8>) {
        guard bytes.count == 4 else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Int32($1) }
    }
}
