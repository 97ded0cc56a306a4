/// Percent-encoding (RFC 3986, section 2.1): `%` and two hexadecimal digits stand for a byte.
package enum PercentEncoding {
    /// The bytes that a text stands for; `nil` where no two hexadecimal digits follow a percent sign.
    package static func bytes(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
