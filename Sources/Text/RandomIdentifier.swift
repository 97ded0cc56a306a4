/// Makes the identifiers of containers, execs, networks and endpoints.
package enum RandomIdentifier {
    /// 64 hexadecimal digits from the kernel's random source. The twelve digits people work with never look like a
    /// decimal number, because such a host name would be one.
    package static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        while true {
            var text = ""
            text.reserveCapacity(64)
            for _ in 0..<4 {
                let digits = String(generator.next() as UInt64, radix: 16)
                text += String(repeating: "0", count: 16 - digits.utf8.count) + digits
            }
            if text.utf8.prefix(12).contains(where: { $0 >= UInt8(ascii: "a") }) { return text }
        }
    }

    /// The form people work with: the first twelve digits.
    package static func short(_ id: String) -> String { String(id.prefix(12)) }
}
