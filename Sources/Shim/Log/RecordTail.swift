import OCISpec

/// What comes after the text of each record: its stream, further attributes and the time.
///
/// All but the fraction of the second is kept from one record to the next.
struct RecordTail {
    private let beginning: [UInt8]
    private var upToSecond: [UInt8] = []
    private var second: Int64?

    /// `attributes` is a JSON object or empty.
    init(stream: String, attributes: [UInt8]) {
        var bytes = Array("\",\"stream\":\"\(stream)\"".utf8)
        if !attributes.isEmpty { bytes += Array(",\"attrs\":".utf8) + attributes }
        beginning = bytes + Array(",\"time\":\"".utf8)
    }

    /// The tail of a record of `time`.
    mutating func at(_ time: Timestamp) -> [UInt8] {
        if second != time.seconds {
            second = time.seconds
            upToSecond = beginning + Timestamp(seconds: time.seconds).description.utf8.dropLast()
        }
        var bytes = upToSecond
        bytes.reserveCapacity(upToSecond.count + 16)
        var rest = time.nanoseconds
        if rest > 0 {
            bytes.append(UInt8(ascii: "."))
            var unit: Int32 = 100_000_000
            // Without zeros at the end, as Go and so Docker writes it.
            while rest > 0 {
                bytes.append(0x30 + UInt8(truncatingIfNeeded: rest / unit))
                rest %= unit
                unit /= 10
            }
        }
        bytes.append(contentsOf: "Z\"}\n".utf8)
        return bytes
    }
}
