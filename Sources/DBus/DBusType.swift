/// A type of values (D-Bus specification, "Type System").
package indirect enum DBusType: Hashable, Sendable {
    case byte, boolean, int16, uint16, int32, uint32, int64, uint64, double, string, objectPath, signature
    /// The number of a descriptor that came with the message.
    case unixDescriptor
    /// A value that brings its type with it.
    case variant
    case array(DBusType)
    case structure([DBusType])
    /// A key, which has a basic type, and its value; only as an array's element.
    case entry(DBusType, DBusType)

    /// Signatures may not be longer, in bytes.
    static let longestSignature = 255
    /// Arrays in arrays, and structures in structures, may not be deeper.
    private static let deepest = 32

    /// The letters that stand for it.
    package var signature: String {
        switch self {
        case .byte: "y"
        case .boolean: "b"
        case .int16: "n"
        case .uint16: "q"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .objectPath: "o"
        case .signature: "g"
        case .unixDescriptor: "h"
        case .variant: "v"
        case .array(let element): "a" + element.signature
        case .structure(let members): "(" + members.map(\.signature).joined() + ")"
        case .entry(let key, let value): "{" + key.signature + value.signature + "}"
        }
    }

    /// Values begin at a multiple of this many bytes.
    var alignment: Int {
        switch self {
        case .byte, .signature, .variant: 1
        case .int16, .uint16: 2
        case .boolean, .int32, .uint32, .string, .objectPath, .unixDescriptor, .array: 4
        case .int64, .uint64, .double, .structure, .entry: 8
        }
    }

    /// The types that `signature` lists.
    ///
    /// - Throws: if a letter stands for no type, a bracket has no partner, or it is too long or nested too deeply.
    package static func list(_ signature: String) throws(DBusError) -> [DBusType] {
        let letters = Array(signature.utf8)
        guard letters.count <= longestSignature else { throw DBusError("a signature of \(letters.count) bytes") }
        var rest = letters[...]
        var types: [DBusType] = []
        do throws(Malformed) {
            while !rest.isEmpty { types.append(try next(&rest, arrays: 0, structures: 0)) }
        } catch {
            throw DBusError("\"\(signature)\" is not a signature")
        }
        return types
    }

    private struct Malformed: Error {}

    private static func next(
        _ rest: inout ArraySlice<UInt8>, arrays: Int, structures: Int
    ) throws(Malformed) -> DBusType {
        guard let letter = rest.popFirst(), arrays <= deepest, structures <= deepest else { throw Malformed() }
        switch letter {
        case UInt8(ascii: "a"):
            if rest.first == UInt8(ascii: "{") {
                rest.removeFirst()
                let key = try next(&rest, arrays: arrays + 1, structures: structures + 1)
                guard key.isBasic else { throw Malformed() }
                let value = try next(&rest, arrays: arrays + 1, structures: structures + 1)
                guard rest.popFirst() == UInt8(ascii: "}") else { throw Malformed() }
                return .array(.entry(key, value))
            }
            return .array(try next(&rest, arrays: arrays + 1, structures: structures))
        case UInt8(ascii: "("):
            var members: [DBusType] = []
            while rest.first != UInt8(ascii: ")") {
                members.append(try next(&rest, arrays: arrays, structures: structures + 1))
            }
            rest.removeFirst()
            guard !members.isEmpty else { throw Malformed() }
            return .structure(members)
        default:
            guard let type = simple[letter] else { throw Malformed() }
            return type
        }
    }

    private var isBasic: Bool {
        switch self {
        case .variant, .array, .structure, .entry: false
        default: true
        }
    }

    private static let simple: [UInt8: DBusType] = {
        let all: [DBusType] = [
            .byte, .boolean, .int16, .uint16, .int32, .uint32, .int64, .uint64, .double, .string, .objectPath,
            .signature, .unixDescriptor, .variant,
        ]
        return Dictionary(uniqueKeysWithValues: all.map { (Array($0.signature.utf8)[0], $0) })
    }()
}
