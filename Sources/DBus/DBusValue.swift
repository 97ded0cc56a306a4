/// A value with its type.
package indirect enum DBusValue: Hashable, Sendable {
    case byte(UInt8)
    case boolean(Bool)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case objectPath(String)
    case signature(String)
    /// Which of the descriptors that came with the message.
    case unixDescriptor(UInt32)
    case variant(DBusValue)
    /// Values that all have the type that is named, which an empty array has as well.
    case array(DBusType, [DBusValue])
    case structure([DBusValue])
    case entry(DBusValue, DBusValue)

    /// An array of bytes.
    package static func bytes(_ bytes: [UInt8]) -> DBusValue { .array(.byte, bytes.map { .byte($0) }) }

    /// An array of strings.
    package static func strings(_ strings: [String]) -> DBusValue { .array(.string, strings.map { .string($0) }) }

    /// Its type.
    package var type: DBusType {
        switch self {
        case .byte: .byte
        case .boolean: .boolean
        case .int16: .int16
        case .uint16: .uint16
        case .int32: .int32
        case .uint32: .uint32
        case .int64: .int64
        case .uint64: .uint64
        case .double: .double
        case .string: .string
        case .objectPath: .objectPath
        case .signature: .signature
        case .unixDescriptor: .unixDescriptor
        case .variant: .variant
        case .array(let element, _): .array(element)
        case .structure(let members): .structure(members.map(\.type))
        case .entry(let key, let value): .entry(key.type, value.type)
        }
    }

    /// The text of a string, object path or signature.
    package var text: String? {
        switch self {
        case .string(let text), .objectPath(let text), .signature(let text): text
        case .variant(let value): value.text
        default: nil
        }
    }
}
