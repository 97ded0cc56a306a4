/// A pattern as Go's path.Match has it: `*` and `?` do not match a slash, `[a-z]` is a class, `\` takes the next
/// character as it is. A pattern that is damaged matches nothing.
struct Glob {
    private let pattern: [Character]

    init(_ pattern: String) { self.pattern = Array(pattern) }

    func matches(_ text: String) -> Bool { match(pattern[...], Array(text)[...]) }

    private func match(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
        var pattern = pattern
        var text = text
        while let first = pattern.first {
            switch first {
            case "*":
                pattern = pattern.drop { $0 == "*" }
                while true {
                    if match(pattern, text) { return true }
                    guard let next = text.first, next != "/" else { return false }
                    text = text.dropFirst()
                }
            case "?":
                guard let next = text.popFirst(), next != "/" else { return false }
                pattern = pattern.dropFirst()
            case "[":
                guard let next = text.popFirst(), next != "/", let rest = matchClass(pattern.dropFirst(), next) else {
                    return false
                }
                pattern = rest
            case "\\":
                pattern = pattern.dropFirst()
                guard let literal = pattern.popFirst(), text.popFirst() == literal else { return false }
            default:
                guard text.popFirst() == first else { return false }
                pattern = pattern.dropFirst()
            }
        }
        return text.isEmpty
    }

    /// What follows the class if it has the character.
    private func matchClass(_ pattern: ArraySlice<Character>, _ character: Character) -> ArraySlice<Character>? {
        var pattern = pattern
        let isNegated = pattern.first == "^"
        if isNegated { pattern = pattern.dropFirst() }
        var isMatch = false
        var isFirst = true
        while let low = pattern.popFirst() {
            if low == "]", !isFirst { return isMatch != isNegated ? pattern : nil }
            isFirst = false
            var high = low
            if pattern.first == "-" {
                pattern = pattern.dropFirst()
                guard let end = pattern.popFirst(), end != "]" else { return nil }
                high = end
            }
            if low <= character, character <= high { isMatch = true }
        }
        return nil
    }
}
