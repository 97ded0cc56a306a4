/// Words of a Dockerfile's instruction: quotes group, a backslash takes the next character as it is, `$name`,
/// `${name}`, `${name:-word}` and `${name:+word}` are variables, but not between single quotes.
struct ShellWords {
    /// `NAME=value`; the first of several counts.
    let environment: [String]

    /// All words of a text. What a variable holds is never split.
    func split(_ text: String) throws(ImagesError) -> [String] {
        var scanner = Scanner(rest: text[...], words: self)
        return try scanner.scan(splits: true)
    }

    /// The text as one word, whatever white space it has.
    func word(_ text: String) throws(ImagesError) -> String {
        var scanner = Scanner(rest: text[...], words: self)
        return try scanner.scan(splits: false).first ?? ""
    }

    /// Each text as one word.
    func each(_ texts: [String]) throws(ImagesError) -> [String] {
        var all: [String] = []
        for text in texts { all.append(try word(text)) }
        return all
    }

    fileprivate func value(_ name: some StringProtocol) -> String? {
        environment.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
}

private struct Scanner {
    var rest: Substring
    let words: ShellWords

    mutating func scan(splits: Bool) throws(ImagesError) -> [String] {
        var found: [String] = []
        var word: String?
        var quote: Character?
        while let character = rest.popFirst() {
            if character == "\\", quote != "'" {
                guard let next = rest.popFirst() else {
                    word = (word ?? "") + "\\"
                    break
                }
                // Between double quotes it only protects what means something there.
                let isKept = quote == "\"" && !"\"$\\".contains(next)
                word = (word ?? "") + (isKept ? "\\" : "") + String(next)
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if character == "$", quote != "'" {
                word = (word ?? "") + (try variable())
            } else if quote == nil, splits, character.isWhitespace {
                if let done = word { found.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if quote != nil {
            throw ImagesError(.invalid, "unexpected end of statement while looking for matching quote")
        }
        if let done = word { found.append(done) }
        return found
    }

    /// What stands behind a dollar sign.
    private mutating func variable() throws(ImagesError) -> String {
        guard rest.first == "{" else {
            let name = takeName()
            return name.isEmpty ? "$" : words.value(name) ?? ""
        }
        rest.removeFirst()
        let name = takeName()
        guard !name.isEmpty else { throw ImagesError(.invalid, "syntax error: bad substitution") }
        let inner = try takeToBrace()
        let value = words.value(name) ?? ""
        if inner.isEmpty { return value }
        guard inner.hasPrefix(":-") || inner.hasPrefix(":+") else {
            throw ImagesError(.invalid, "unsupported modifier (\(inner.prefix(2))) in substitution")
        }
        let other = try words.word(String(inner.dropFirst(2)))
        return inner.hasPrefix(":-") == value.isEmpty ? other : inner.hasPrefix(":-") ? value : ""
    }

    private mutating func takeName() -> Substring {
        // `$1` is one digit, as in a shell.
        let isDigit = rest.first.map { $0.isASCII && $0.isNumber } ?? false
        let name = isDigit ? rest.prefix(1) : rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        rest = rest[name.endIndex...]
        return name
    }

    /// Everything up to the brace that ends it, others within it included.
    private mutating func takeToBrace() throws(ImagesError) -> String {
        var inner = ""
        var depth = 0
        while let character = rest.popFirst() {
            if character == "}", depth == 0 { return inner }
            if character == "{" { depth += 1 }
            if character == "}" { depth -= 1 }
            inner.append(character)
        }
        throw ImagesError(.invalid, "syntax error: missing '}'")
    }
}
