/// A regular expression as in Go's package `regexp` (RE2), to be found anywhere in a text.
///
/// Expressions come from clients, so the time of a match must not depend on how evil one is: it is compiled to a
/// machine whose possible states are followed all at once (Thompson's construction), one step per character.
///
/// There are literals, `.`, classes with ranges and `\d \s \w` and their opposites, `^ $ \A \z \b \B`, groups with and
/// without capture, alternatives, `* + ? {n} {n,} {n,m}` (a `?` behind them changes nothing about whether there is a
/// match), and `(?i)` at the beginning.
package struct GoRegularExpression: Sendable {
    private let program: Program
    private let ignoresCase: Bool

    /// The expression as it was written.
    package let text: String

    /// Throws `invalid` for an expression that cannot be understood or is out of all proportion; `what` names what it
    /// was given as, by default the filter for names.
    package init(_ text: String, as what: String? = nil) throws(EngineError) {
        self.text = text
        var scalars = Array(text.unicodeScalars)
        ignoresCase = scalars.starts(with: "(?i)".unicodeScalars)
        if ignoresCase { scalars.removeFirst(4) }
        var parser = Parser(scalars: scalars, ignoresCase: ignoresCase)
        do throws(Mistake) {
            let node = try parser.parse()
            program = try Program(node)
        } catch {
            throw .invalid("invalid \(what ?? "filter 'name=\(text)'"): error parsing regexp: \(error.text)")
        }
    }

    /// Whether it is found anywhere in a text.
    package func matches(_ text: String) -> Bool {
        program.matches(Array((ignoresCase ? text.lowercased() : text).unicodeScalars))
    }
}

extension GoRegularExpression: Hashable, Codable {
    package static func == (left: GoRegularExpression, right: GoRegularExpression) -> Bool { left.text == right.text }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    package init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self), as: "expression")
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

private struct Mistake: Error {
    let text: String
}

/// A set of characters.
private struct CharacterSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isNegated
    }

    static let digits = CharacterSet(ranges: [0x30...0x39])
    static let space = CharacterSet(ranges: [0x09...0x0a, 0x0c...0x0d, 0x20...0x20])
    static let word = CharacterSet(ranges: [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])

    /// `\d`, `\W` and the like, by their letter.
    static func named(_ letter: Unicode.Scalar) -> CharacterSet? {
        let sets: [Unicode.Scalar: CharacterSet] = ["d": digits, "s": space, "w": word]
        if let set = sets[letter] { return set }
        guard var set = sets[letter.properties.lowercaseMapping.unicodeScalars.first ?? letter] else { return nil }
        set.isNegated = true
        return set
    }

    /// The ranges, those of a negated set turned round.
    var positiveRanges: [ClosedRange<UInt32>] {
        guard isNegated else { return ranges }
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = max(next, range.upperBound + 1)
        }
        return next <= 0x10ffff ? result + [next...0x10ffff] : result
    }
}

private indirect enum Node {
    case empty
    case set(CharacterSet)
    case start, end
    case wordBoundary(Bool)
    case sequence([Node])
    case choice([Node])
    case repetition(Node, minimum: Int, maximum: Int?)
}

private struct Parser {
    private static let maximumDepth = 100
    /// What RE2 takes at most.
    private static let maximumCount = 1000

    let scalars: [Unicode.Scalar]
    let ignoresCase: Bool
    private var position = 0
    private var depth = 0

    init(scalars: [Unicode.Scalar], ignoresCase: Bool) {
        self.scalars = scalars
        self.ignoresCase = ignoresCase
    }

    mutating func parse() throws(Mistake) -> Node {
        let node = try alternatives()
        if position < scalars.count { throw Mistake(text: "unexpected )") }
        return node
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func alternatives() throws(Mistake) -> Node {
        var choices = [try sequence()]
        while skip("|") { choices.append(try sequence()) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(Mistake) -> Node {
        var parts: [Node] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            parts.append(try repeated(try atom()))
        }
        return parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func repeated(_ atom: Node) throws(Mistake) -> Node {
        var node = atom
        var isRepeated = false
        while let scalar = next {
            let bounds: (Int, Int?)
            switch scalar {
            case "*": bounds = (0, nil)
            case "+": bounds = (1, nil)
            case "?": bounds = (0, 1)
            case "{":
                // What does not look like numbers is a brace.
                guard let (counts, length) = try counts() else { return node }
                bounds = counts
                position += length - 1
            default: return node
            }
            position += 1
            if isRepeated { throw Mistake(text: "invalid nested repetition operator") }
            isRepeated = true
            _ = skip("?")
            node = .repetition(node, minimum: bounds.0, maximum: bounds.1)
        }
        return node
    }

    /// `{n}`, `{n,}`, `{n,m}` at `position`, and how long it is.
    private func counts() throws(Mistake) -> ((Int, Int?), length: Int)? {
        guard let close = scalars[position...].firstIndex(of: "}") else { return nil }
        var body = String.UnicodeScalarView()
        body.append(contentsOf: scalars[(position + 1)..<close])
        let parts = String(body).split(separator: ",", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts[0].isEmpty,
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
        else { return nil }
        let numbers = parts.map { Int($0) ?? ($0.isEmpty ? nil : .max) }
        let minimum = numbers[0] ?? 0
        let maximum = parts.count == 1 ? minimum : numbers[1]
        guard minimum <= Self.maximumCount, (maximum ?? 0) <= Self.maximumCount, minimum <= maximum ?? .max else {
            throw Mistake(text: "invalid repeat count: {\(String(body))}")
        }
        return ((minimum, maximum), close - position + 1)
    }

    private mutating func atom() throws(Mistake) -> Node {
        let scalar = scalars[position]
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case ".": return .set(CharacterSet(ranges: [0x0a...0x0a], isNegated: true))
        case "^": return .start
        case "$": return .end
        case "*", "+", "?": throw Mistake(text: "missing argument to repetition operator: \(scalar)")
        case "\\": return try escape()
        default: return .set(literal(scalar))
        }
    }

    private mutating func group() throws(Mistake) -> Node {
        if skip("?") {
            let rest = scalars[position...]
            if rest.first == ":" {
                position += 1
            } else if rest.first == "P" || rest.first == "<", let close = rest.firstIndex(of: ">") {
                position = close + 1
            } else {
                throw Mistake(text: "invalid or unsupported Perl syntax: (?")
            }
        }
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw Mistake(text: "expression nests too deeply") }
        let node = try alternatives()
        guard skip(")") else { throw Mistake(text: "missing closing )") }
        return node
    }

    private mutating func escape() throws(Mistake) -> Node {
        guard let scalar = next else { throw Mistake(text: "trailing backslash at end of expression") }
        position += 1
        switch scalar {
        case "A": return .start
        case "z": return .end
        case "b": return .wordBoundary(true)
        case "B": return .wordBoundary(false)
        default: return .set(try escaped(scalar))
        }
    }

    private func escaped(_ scalar: Unicode.Scalar) throws(Mistake) -> CharacterSet {
        if let set = CharacterSet.named(scalar) { return set }
        let controls: [Unicode.Scalar: UInt32] = ["n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7]
        if let control = controls[scalar] { return CharacterSet(ranges: [control...control]) }
        let isAlphanumeric = scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        if isAlphanumeric || scalar.value > 127 { throw Mistake(text: "invalid escape sequence: \\\(scalar)") }
        return literal(scalar)
    }

    private func literal(_ scalar: Unicode.Scalar) -> CharacterSet {
        let value =
            ignoresCase ? scalar.properties.lowercaseMapping.unicodeScalars.first?.value ?? scalar.value : scalar.value
        return CharacterSet(ranges: [value...value])
    }

    private mutating func characterClass() throws(Mistake) -> CharacterSet {
        var set = CharacterSet()
        set.isNegated = skip("^")
        var isFirst = true
        while let scalar = next, isFirst || scalar != "]" {
            isFirst = false
            position += 1
            var low = literal(scalar)
            if scalar == "\\" {
                guard let named = next else { break }
                position += 1
                low = try escaped(named)
            }
            guard low.ranges.count == 1, !low.isNegated, low.ranges[0].count == 1, next == "-",
                position + 1 < scalars.count, scalars[position + 1] != "]"
            else {
                set.ranges += low.positiveRanges
                continue
            }
            position += 1
            var high = literal(scalars[position])
            position += 1
            if scalars[position - 1] == "\\", let named = next {
                position += 1
                high = try escaped(named)
            }
            let bounds = (low.ranges[0].lowerBound, high.ranges.first?.lowerBound ?? 0)
            guard high.ranges.count == 1, bounds.0 <= bounds.1 else {
                throw Mistake(text: "invalid character class range")
            }
            set.ranges.append(bounds.0...bounds.1)
        }
        guard skip("]") else { throw Mistake(text: "missing closing ]") }
        return set
    }
}

/// What to do at each state, and where to go on.
private struct Program: Sendable {
    private enum Step: Sendable {
        case take(CharacterSet)
        case start, end
        case wordBoundary(Bool)
        /// Go on at both places.
        case split(Int, Int)
        case jump(Int)
        case match
    }

    private static let maximumSteps = 20_000

    private var steps: [Step] = []

    init(_ node: Node) throws(Mistake) {
        try add(node)
        try append(.match)
    }

    @discardableResult
    private mutating func append(_ step: Step) throws(Mistake) -> Int {
        if steps.count >= Self.maximumSteps { throw Mistake(text: "expression is too large") }
        steps.append(step)
        return steps.count - 1
    }

    private mutating func add(_ node: Node) throws(Mistake) {
        switch node {
        case .empty: break
        case .set(let set): try append(.take(set))
        case .start: try append(.start)
        case .end: try append(.end)
        case .wordBoundary(let wanted): try append(.wordBoundary(wanted))
        case .sequence(let parts): for part in parts { try add(part) }
        case .choice(let choices):
            var ends: [Int] = []
            for choice in choices.dropLast() {
                let split = try append(.split(0, 0))
                try add(choice)
                ends.append(try append(.jump(0)))
                steps[split] = .split(split + 1, steps.count)
            }
            if let last = choices.last { try add(last) }
            for end in ends { steps[end] = .jump(steps.count) }
        case .repetition(let body, let minimum, let maximum):
            for _ in 0..<minimum { try add(body) }
            guard let maximum else {
                let split = try append(.split(0, 0))
                try add(body)
                try append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
                return
            }
            var splits: [Int] = []
            for _ in minimum..<maximum {
                splits.append(try append(.split(0, 0)))
                try add(body)
            }
            for split in splits { steps[split] = .split(split + 1, steps.count) }
        }
    }

    func matches(_ text: [Unicode.Scalar]) -> Bool {
        var isMarked = [Bool](repeating: false, count: steps.count)
        var states: [Int] = []
        for position in 0...text.count {
            // A match may begin here.
            var pending = states + [0]
            var reached: [Int] = []
            for index in isMarked.indices { isMarked[index] = false }
            while let state = pending.popLast() {
                if isMarked[state] { continue }
                isMarked[state] = true
                switch steps[state] {
                case .match: return true
                case .jump(let target): pending.append(target)
                case .split(let first, let second): pending += [first, second]
                case .start: if position == 0 { pending.append(state + 1) }
                case .end: if position == text.count { pending.append(state + 1) }
                case .wordBoundary(let wanted):
                    let before = position > 0 && CharacterSet.word.contains(text[position - 1])
                    let after = position < text.count && CharacterSet.word.contains(text[position])
                    if (before != after) == wanted { pending.append(state + 1) }
                case .take(let set):
                    if position < text.count, set.contains(text[position]) { reached.append(state + 1) }
                }
            }
            states = reached
        }
        return false
    }
}
