import JSON

/// A template in the subset of Go's `text/template` that people use with `--format`.
package struct Template: Sendable {
    /// A method of the value a template is applied to: `{{.Label "name"}}`.
    package typealias Method = (_ name: String, _ arguments: [String]) -> JSONValue?

    /// What a field means that is not there.
    package enum Missing: Sendable {
        /// It prints `<no value>`.
        case noValue
        /// It is an error: values of this kind have no such field.
        case unknownField
        /// Some fields are left out when they are empty and have these values then; others are an error.
        case omitted([String: JSONValue])
        /// In these fields, whose keys are anything, it prints `<no value>`; elsewhere it is an error.
        case maps(Set<String>)
    }

    private let nodes: [TemplateNode]
    private let missing: Missing

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - text: the template; `\t` and `\n` outside of actions are the caller's to replace.
    ///   - missing: what a field means that is not there.
    package init(parsing text: String, missing: Missing = .omitted([:])) throws(TemplateError) {
        nodes = try TemplateParser.parse(text)
        self.missing = missing
    }

    /// Applies the template to a value.
    package func rendered(_ value: JSONValue, method: @escaping Method = { _, _ in nil }) throws(TemplateError)
        -> String
    {
        var evaluation = TemplateEvaluation(root: value, missing: missing, method: method)
        try evaluation.run(nodes, dot: value)
        return evaluation.output
    }
}

private struct TemplateEvaluation {
    let root: JSONValue
    let missing: Template.Missing
    let method: Template.Method
    private(set) var output = ""
    private var variables: [(name: String, value: JSONValue)]

    init(root: JSONValue, missing: Template.Missing, method: @escaping Template.Method) {
        self.root = root
        self.missing = missing
        self.method = method
        variables = [("$", root)]
    }

    mutating func run(_ nodes: [TemplateNode], dot: JSONValue) throws(TemplateError) {
        for node in nodes {
            let depth = variables.count
            switch node {
            case .text(let text): output += text
            case .action(let pipeline):
                let value = try evaluate(pipeline, dot)
                if pipeline.variables.isEmpty { output += printed(value) }
            case .branch(let pipeline, let then, let otherwise):
                let value = try evaluate(pipeline, dot)
                try run(isTrue(value) ? then : otherwise, dot: dot)
                variables.removeSubrange(depth...)
            case .with(let pipeline, let body, let otherwise):
                let value = try evaluate(pipeline, dot)
                if let value, TemplateText.isTrue(value) {
                    try run(body, dot: value)
                } else {
                    try run(otherwise, dot: dot)
                }
                variables.removeSubrange(depth...)
            case .range(let pipeline, let body, let otherwise):
                try loop(pipeline, body, otherwise, dot)
                variables.removeSubrange(depth...)
            }
        }
    }

    private mutating func loop(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], _ dot: JSONValue
    ) throws(TemplateError) {
        var plain = pipeline
        plain.variables = []
        let items: [(JSONValue, JSONValue)]
        let subject = try evaluate(plain, dot) ?? nil
        switch subject {
        case .array(let list): items = list.enumerated().map { (.int(Int64($0.offset)), $0.element) }
        case .object(let object): items = object.keys.sorted().map { (.string($0), object[$0] ?? nil) }
        case .int(let count): items = (0..<max(0, count)).map { (.int($0), .int($0)) }
        case .null: items = []
        default: throw failure("range can't iterate over \(TemplateText.shown(subject))", 0, "")
        }
        if items.isEmpty { return try run(otherwise, dot: dot) }
        for (key, item) in items {
            let depth = variables.count
            switch pipeline.variables.count {
            case 1: variables.append((pipeline.variables[0], item))
            case 2: variables += [(pipeline.variables[0], key), (pipeline.variables[1], item)]
            default: break
            }
            try run(body, dot: item)
            variables.removeSubrange(depth...)
        }
    }

    /// Nil is a field that does not exist.
    private mutating func evaluate(_ pipeline: TemplatePipeline, _ dot: JSONValue) throws(TemplateError) -> JSONValue? {
        var result: JSONValue?
        for (index, call) in pipeline.commands.enumerated() {
            result = try evaluate(call, dot, last: index == 0 ? nil : .some(result ?? nil))
        }
        for name in pipeline.variables {
            if pipeline.isAssignment, let place = variables.lastIndex(where: { $0.name == name }) {
                variables[place].value = result ?? nil
            } else {
                variables.append((name, result ?? nil))
            }
        }
        return result
    }

    private mutating func evaluate(
        _ call: TemplateCall, _ dot: JSONValue, last: JSONValue?
    ) throws(TemplateError) -> JSONValue? {
        let rest = call.operands.dropFirst()
        switch call.operands[0] {
        case .function(let name):
            var arguments: [JSONValue] = []
            for operand in rest { arguments.append(try value(operand, dot) ?? nil) }
            if let last { arguments.append(last) }
            do {
                return try TemplateFunctions.call(name, arguments)
            } catch {
                throw failure(error.message, 0, name)
            }
        case .field(let names, let offset) where !rest.isEmpty || last != nil:
            var arguments: [String] = []
            for operand in rest { arguments.append(TemplateText.shown(try value(operand, dot) ?? nil)) }
            if let last { arguments.append(TemplateText.shown(last)) }
            guard names.count == 1, let result = method(names[0], arguments) else {
                let shown = "." + names.joined(separator: ".")
                throw failure("\(names[names.count - 1]) is not a method but has arguments", offset, shown)
            }
            return result
        case let operand:
            guard rest.isEmpty, last == nil else { throw failure("can't give argument to non-function", 0, "") }
            return try value(operand, dot)
        }
    }

    private mutating func value(_ operand: TemplateOperand, _ dot: JSONValue) throws(TemplateError) -> JSONValue? {
        switch operand {
        case .dot: return dot
        case .literal(let value): return value
        case .field(let names, let offset):
            return try walk(dot, names, "." + names.joined(separator: "."), offset)
        case .variable(let name, let names, let offset):
            guard let found = variables.last(where: { $0.name == name }) else {
                throw TemplateError(reason: ":1: undefined variable \"\(name)\"", isSyntax: true)
            }
            return try walk(found.value, names, ([name] + names).joined(separator: "."), offset)
        case .function(let name):
            do {
                return try TemplateFunctions.call(name, [])
            } catch {
                throw failure(error.message, 0, name)
            }
        case .group(let pipeline, let names, let offset):
            let inner = try evaluate(pipeline, dot)
            return names.isEmpty ? inner : try walk(inner ?? nil, names, "." + names.joined(separator: "."), offset)
        }
    }

    private func walk(
        _ start: JSONValue, _ names: [String], _ shown: String, _ offset: Int
    ) throws(TemplateError) -> JSONValue? {
        var value = start
        var column = offset
        var parent = ""
        for name in names {
            defer { parent = name }
            switch value {
            case .object(let object):
                if let member = Self.member(name, of: object) {
                    value = member
                } else if let result = method(name, []), value == root {
                    value = result
                } else {
                    switch missing {
                    case .noValue: return nil
                    case .unknownField: throw failure("can't evaluate field \(name)", column, shown)
                    case .maps(let maps):
                        guard maps.contains(parent) else {
                            throw failure("can't evaluate field \(name)", column, shown)
                        }
                        return nil
                    case .omitted(let defaults):
                        guard let empty = defaults[name] else {
                            throw failure("map has no entry for key \"\(name)\"", column, shown)
                        }
                        value = empty
                    }
                }
            case .null:
                if case .noValue = missing { return nil }
                throw failure("nil data; no entry for key \"\(name)\"", column, shown)
            default:
                throw failure("can't evaluate field \(name) in type \(value.kindName)", column, shown)
            }
            column += name.count + 1
        }
        return value
    }

    /// Go's structures and JSON spell some names differently (`ID`, `Id`); the nearest is meant.
    private static func member(_ name: String, of object: JSONObject) -> JSONValue? {
        if let exact = object[name] { return exact }
        let lowered = name.lowercased()
        return object.keys.first { $0.lowercased() == lowered }.flatMap { object[$0] }
    }

    private func isTrue(_ value: JSONValue?) -> Bool {
        value.map(TemplateText.isTrue) ?? false
    }

    private func printed(_ value: JSONValue?) -> String {
        value.map(TemplateText.shown) ?? "<no value>"
    }

    private func failure(_ reason: String, _ offset: Int, _ place: String) -> TemplateError {
        TemplateError(reason: ":1:\(offset): executing \"\" at <\(place)>: \(reason)", isSyntax: false)
    }
}
