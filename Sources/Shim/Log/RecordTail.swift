import OCISpec

/// What comes after the text of each record: its stream, further attributes and the time.
///
/// It is kept for further records of the same time, and all but the fraction of the second for later ones.
struct RecordTail {
    private let beginning: [UInt8]
    private var upToSecond: [UInt8] = []
    private var second: Int64?
    private var last: (time: Timestamp, bytes: [UInt8])?

    /// `attributes` is a JSON object or empty.
    init(stream: String, attributes: [UInt8]) {
        var bytes = Array("\",\"stream\":\"\(stream)\"".utf8)
        if !attributes.isEmpty { bytes += Array(",\"attrs\":".utf8) + attributes }
        beginning = bytes + Array(",\"time\":\"".utf8)
    }

    /// The tail of a record of `time`.
    mutating func at(_ time: Timestamp) -> [UInt8] {
        if let last, last.time == time { return last.bytes }
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
        last = (time, bytes)
        return bytes
    }
}
