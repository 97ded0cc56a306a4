/// Passwords among the options of a mount.
enum MountSecrets {
    private static let names = ["password", "pass", "password2"]

    /// A text with asterisks in place of each password among the options.
    static func masked(_ text: String, options: [String]) -> String {
        var result = text
        for option in options {
            for name in names where option.hasPrefix(name + "=") && option.utf8.count > name.utf8.count + 1 {
                result = replacing(option, by: "\(name)=********", in: result)
            }
        }
        return result
    }

    private static func replacing(_ part: String, by other: String, in text: String) -> String {
        let (bytes, wanted) = (Array(text.utf8), Array(part.utf8))
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: wanted) {
                result += other.utf8
                index += wanted.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
