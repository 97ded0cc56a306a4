import SystemPackage

/// The attributes of a message or of another attribute.
package struct Attributes {
    /// Each with its type, in their order: those of lists are all of one type.
    package private(set) var all: [(type: UInt16, payload: ArraySlice<UInt8>)] = []

    /// Takes `bytes` apart.
    ///
    /// - Throws: `badMessage` where lengths do not fit.
    package init(_ bytes: ArraySlice<UInt8>) throws(Errno) {
        var reader = ByteReader(bytes)
        while !reader.isAtEnd {
            var header = ByteReader(try reader.take(4))
            let length = Int(try header.number(UInt16.self))
            // The upper two bits say what is inside.
            let type = try header.number(UInt16.self) & 0x3fff
            guard length >= 4 else { throw .badMessage }
            all.append((type, try reader.takeAligned(length - 4)))
        }
    }

    /// The bytes of the attribute `type`; `nil` if there is none. Of two of a type the last one counts.
    package subscript(type: some AttributeType) -> ArraySlice<UInt8>? {
        let number = type.attributeNumber
        return all.last { $0.type == number }?.payload
    }

    /// The attributes inside the attribute `type`; `nil` if there is none.
    package func nested(_ type: some AttributeType) throws(Errno) -> Attributes? {
        guard let payload = self[type] else { return nil }
        return try Attributes(payload)
    }

    /// The number in the attribute `type`; `nil` if there is none.
    package func number<Number: FixedWidthInteger>(
        _ type: some AttributeType, as _: Number.Type = Number.self
    ) throws(Errno) -> Number? {
        guard let payload = self[type] else { return nil }
        var reader = ByteReader(payload)
        return try reader.number()
    }

    /// The number in the attribute `type`, which is in the byte order of the network; `nil` if there is none.
    package func networkOrder<Number: FixedWidthInteger>(
        _ type: some AttributeType, as _: Number.Type = Number.self
    ) throws(Errno) -> Number? {
        try number(type, as: Number.self).map { Number(bigEndian: $0) }
    }

    /// The text in the attribute `type`, without its null byte; `nil` if there is none.
    package func text(_ type: some AttributeType) -> String? {
        self[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// What the number 0 or 1 in the attribute `type` says; `nil` if there is none.
    func truth(_ type: some AttributeType) throws(Errno) -> Bool? {
        try number(type, as: UInt8.self).map { $0 != 0 }
    }
}
