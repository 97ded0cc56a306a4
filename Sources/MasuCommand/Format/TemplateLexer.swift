import Flags
import JSON

/// A word of an action.
struct TemplateToken {
    enum Kind: Equatable {
        case dot
        case field([String])
        case variable(String, [String])
        case word(String)
        case literal(JSONValue)
        case open
        case close
        case pipe
        case comma
        case declare
        case assign
    }

    let kind: Kind
    /// The token's place in the line, counted from 0, for messages.
    let offset: Int
    /// Whether nothing stands between the token and the one before.
    let isJoined: Bool
    /// The token as it was written.
    let shown: String
}

/// Divides an action into tokens.
struct TemplateLexer {
    private let source: [Character]
    private(set) var position: Int
    private let line: Int
    /// Whether the action ended in `-}}`.
    private(set) var trimsNext = false

    init(source: [Character], position: Int, line: Int) {
        self.source = source
        self.position = position
        self.line = line
    }

    private func error(_ reason: String) -> TemplateError {
        TemplateError(reason: ":\(line): \(reason)", isSyntax: true)
    }

    /// All tokens up to the end of the action, which is passed.
    mutating func tokens() throws(TemplateError) -> [TemplateToken] {
        var result: [TemplateToken] = []
        var isJoined = false
        while true {
            guard position < source.count else { throw error("unclosed action") }
            if source[position].isWhitespace {
                if source[position...].starts(with: " -}}") {
                    position += 4
                    trimsNext = true
                    return result
                }
                position += 1
                isJoined = false
                continue
            }
            if source[position...].starts(with: "}}") {
                position += 2
                return result
            }
            let start = position
            let kind = try next()
            result.append(
                TemplateToken(kind: kind, offset: start, isJoined: isJoined, shown: String(source[start..<position])))
            isJoined = true
        }
    }

    private mutating func next() throws(TemplateError) -> TemplateToken.Kind {
        let character = source[position]
        switch character {
        case "(": return single(.open)
        case ")": return single(.close)
        case "|": return single(.pipe)
        case ",": return single(.comma)
        case "=": return single(.assign)
        case ":":
            guard source[position...].starts(with: ":=") else { throw error("expected :=") }
            position += 2
            return .declare
        case "\"": return .literal(.string(try quoted()))
        case "`": return .literal(.string(try raw()))
        case "'": return .literal(try characterConstant())
        case ".":
            let names = fields()
            if names.isEmpty {
                position += 1
                return .dot
            }
            return .field(names)
        case "$":
            position += 1
            let name = word()
            return .variable("$" + name, fields())
        default: break
        }
        if character.isNumber || character == "-" || character == "+" { return .literal(try number()) }
        if Self.isWord(character) { return .word(word()) }
        let code = String(character.unicodeScalars.first?.value ?? 0, radix: 16, uppercase: true)
        throw error("bad character U+\(String(repeating: "0", count: max(0, 4 - code.count)))\(code) '\(character)'")
    }

    private mutating func single(_ kind: TemplateToken.Kind) -> TemplateToken.Kind {
        position += 1
        return kind
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }

    private mutating func word() -> String {
        let start = position
        while position < source.count, Self.isWord(source[position]) { position += 1 }
        return String(source[start..<position])
    }

    /// `.A.B` as `["A", "B"]`.
    private mutating func fields() -> [String] {
        var names: [String] = []
        while position + 1 < source.count, source[position] == ".", Self.isWord(source[position + 1]) {
            position += 1
            names.append(word())
        }
        return names
    }

    private mutating func quoted() throws(TemplateError) -> String {
        var text = ""
        position += 1
        while position < source.count, source[position] != "\"" {
            var character = source[position]
            if character == "\\" {
                position += 1
                guard position < source.count else { break }
                switch source[position] {
                case "n": character = "\n"
                case "t": character = "\t"
                case "r": character = "\r"
                default: character = source[position]
                }
            }
            text.append(character)
            position += 1
        }
        guard position < source.count else { throw error("unterminated quoted string") }
        position += 1
        return text
    }

    private mutating func raw() throws(TemplateError) -> String {
        position += 1
        let start = position
        while position < source.count, source[position] != "`" { position += 1 }
        guard position < source.count else { throw error("unterminated raw quoted string") }
        position += 1
        return String(source[start..<(position - 1)])
    }

    private mutating func characterConstant() throws(TemplateError) -> JSONValue {
        guard position + 2 < source.count, source[position + 2] == "'",
            let scalar = source[position + 1].unicodeScalars.first
        else { throw error("unterminated character constant") }
        position += 3
        return .int(Int64(scalar.value))
    }

    private mutating func number() throws(TemplateError) -> JSONValue {
        let start = position
        position += 1
        while position < source.count, Self.isWord(source[position]) || source[position] == "." { position += 1 }
        let text = String(source[start..<position])
        if let integer = try? FlagValue.integer(text) { return .int(integer) }  // not an integer: perhaps a fraction
        guard let fraction = Double(text) else { throw error("bad number syntax: \"\(text)\"") }
        return .double(fraction)
    }
}
