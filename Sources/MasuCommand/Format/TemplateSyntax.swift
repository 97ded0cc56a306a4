import JSON

/// The parts of a template, after Go's `text/template`.
indirect enum TemplateNode: Sendable {
    case text(String)
    case action(TemplatePipeline)
    case branch(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case range(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case with(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
}

/// Commands joined by `|`, perhaps kept in variables.
struct TemplatePipeline: Sendable {
    /// `$x := …` or `$i, $x := …` of a range.
    var variables: [String] = []
    /// Whether `=` changes variables that exist.
    var isAssignment = false
    var commands: [TemplateCall] = []
}

/// A value, or a function or method with arguments.
struct TemplateCall: Sendable {
    var operands: [TemplateOperand]
}

indirect enum TemplateOperand: Sendable {
    case dot
    case literal(JSONValue)
    case field([String], offset: Int)
    case variable(String, [String], offset: Int)
    case function(String)
    case group(TemplatePipeline, [String], offset: Int)
}

/// Why a template cannot be used; the text follows `template: `.
package struct TemplateError: Error, Equatable {
    /// The reason in Go's form: `:1: unclosed action`.
    package let reason: String

    /// Whether the template itself is wrong, rather than what it was applied to.
    package let isSyntax: Bool

    /// An error with its reason.
    package init(reason: String, isSyntax: Bool) {
        self.reason = reason
        self.isSyntax = isSyntax
    }

    /// The whole text.
    package var description: String { "template: \(reason)" }
}

/// Takes templates apart.
struct TemplateParser {
    private let source: [Character]
    private var position = 0
    private var tokens: [TemplateToken] = []
    private var line = 1

    private enum End {
        case end
        case otherwise
        case otherwiseIf
        case finished
    }

    init(_ text: String) {
        source = Array(text)
    }

    static func parse(_ text: String) throws(TemplateError) -> [TemplateNode] {
        var parser = TemplateParser(text)
        let (nodes, end) = try parser.list()
        guard end == .finished else { throw parser.error("unexpected {{end}}") }
        return nodes
    }

    private func error(_ reason: String) -> TemplateError {
        TemplateError(reason: ":\(line): \(reason)", isSyntax: true)
    }

    private mutating func list() throws(TemplateError) -> ([TemplateNode], End) {
        var nodes: [TemplateNode] = []
        while true {
            if let text = try text() { nodes.append(.text(text)) }
            guard position < source.count else { return (nodes, .finished) }
            guard try openAction() else { continue }
            guard case .word(let word)? = tokens.first?.kind else {
                nodes.append(.action(try wholePipeline()))
                continue
            }
            switch word {
            case "if", "with", "range":
                tokens.removeFirst()
                nodes.append(try block(word))
            case "else":
                tokens.removeFirst()
                if case .word("if")? = tokens.first?.kind {
                    tokens.removeFirst()
                    return (nodes, .otherwiseIf)
                }
                return (nodes, .otherwise)
            case "end": return (nodes, .end)
            case "define", "template", "block", "break", "continue":
                throw error("{{\(word)}} is not supported here")
            default: nodes.append(.action(try wholePipeline()))
            }
        }
    }

    private mutating func block(_ kind: String) throws(TemplateError) -> TemplateNode {
        guard !tokens.isEmpty else { throw error("missing value for \(kind)") }
        let pipeline = try wholePipeline()
        let (body, end) = try list()
        var otherwise: [TemplateNode] = []
        switch end {
        case .end: break
        case .otherwiseIf: otherwise = [try block("if")]
        case .otherwise:
            let (nodes, last) = try list()
            guard last == .end else { throw error(last == .finished ? "unexpected EOF" : "unexpected {{else}}") }
            otherwise = nodes
        case .finished: throw error("unexpected EOF")
        }
        switch kind {
        case "if": return .branch(pipeline, then: body, otherwise: otherwise)
        case "with": return .with(pipeline, body: body, otherwise: otherwise)
        default: return .range(pipeline, body: body, otherwise: otherwise)
        }
    }

    /// Text up to the next action, trimmed where the action says so.
    private mutating func text() throws(TemplateError) -> String? {
        let start = position
        while position < source.count, !looksAt("{{", position) { position += 1 }
        guard position > start else { return nil }
        var text = source[start..<position]
        line += text.filter(\.isNewline).count
        if trimsNext {
            text = text.drop { $0.isWhitespace }
            trimsNext = false
        }
        if looksAt("{{- ", position) {
            while text.last?.isWhitespace == true { text.removeLast() }
        }
        return text.isEmpty ? nil : String(text)
    }

    private var trimsNext = false

    private func looksAt(_ mark: String, _ index: Int) -> Bool {
        source[index...].starts(with: mark)
    }

    /// Reads the tokens of an action; false for a comment.
    private mutating func openAction() throws(TemplateError) -> Bool {
        position += looksAt("{{- ", position) ? 4 : 2
        trimsNext = false
        if looksAt("/*", position) {
            while position < source.count, !looksAt("*/", position) { position += 1 }
            position += 2
            let trims = looksAt(" -}}", min(position, source.count))
            guard trims || looksAt("}}", min(position, source.count)) else { throw error("unclosed comment") }
            position += trims ? 4 : 2
            trimsNext = trims
            return false
        }
        var lexer = TemplateLexer(source: source, position: position, line: line)
        tokens = try lexer.tokens()
        position = lexer.position
        trimsNext = lexer.trimsNext
        return true
    }

    private mutating func wholePipeline() throws(TemplateError) -> TemplatePipeline {
        guard !tokens.isEmpty else { throw error("missing value for command") }
        let pipeline = try pipeline()
        guard tokens.isEmpty else { throw error("unexpected \(tokens[0].shown) in operand") }
        return pipeline
    }

    private mutating func pipeline() throws(TemplateError) -> TemplatePipeline {
        var pipeline = TemplatePipeline()
        if let mark = tokens.firstIndex(where: { $0.kind == .declare || $0.kind == .assign }) {
            for token in tokens[..<mark] {
                switch token.kind {
                case .variable(let name, let fields) where fields.isEmpty: pipeline.variables.append(name)
                case .comma: continue
                default: throw error("unexpected \(token.shown) in declaration")
                }
            }
            pipeline.isAssignment = tokens[mark].kind == .assign
            tokens.removeFirst(mark + 1)
        }
        var call = TemplateCall(operands: [])
        while let token = tokens.first, token.kind != .close {
            tokens.removeFirst()
            switch token.kind {
            case .pipe:
                guard !call.operands.isEmpty else { throw error("missing value for command") }
                pipeline.commands.append(call)
                call.operands = []
            default: call.operands.append(try operand(token))
            }
        }
        guard !call.operands.isEmpty else { throw error("missing value for command") }
        pipeline.commands.append(call)
        return pipeline
    }

    private mutating func operand(_ token: TemplateToken) throws(TemplateError) -> TemplateOperand {
        switch token.kind {
        case .dot: return .dot
        case .literal(let value): return .literal(value)
        case .field(let names): return .field(names, offset: token.offset)
        case .variable(let name, let fields): return .variable(name, fields, offset: token.offset)
        case .word(let word):
            switch word {
            case "true": return .literal(true)
            case "false": return .literal(false)
            case "nil": return .literal(nil)
            default:
                guard TemplateFunctions.names.contains(word) else { throw error("function \"\(word)\" not defined") }
                return .function(word)
            }
        case .open:
            let inner = try pipeline()
            guard tokens.first?.kind == .close else { throw error("unclosed left paren") }
            tokens.removeFirst()
            if case .field(let names)? = tokens.first?.kind, tokens[0].isJoined {
                tokens.removeFirst()
                return .group(inner, names, offset: token.offset)
            }
            return .group(inner, [], offset: token.offset)
        default: throw error("unexpected \(token.shown) in operand")
        }
    }
}
