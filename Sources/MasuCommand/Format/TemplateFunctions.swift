import JSON
import Text

/// The functions of templates: Go's own and those docker adds.
enum TemplateFunctions {
    static let names: Set<String> = [
        "json", "split", "join", "title", "lower", "upper", "pad", "truncate", "len", "index", "slice", "print",
        "println",
        "printf", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "html", "urlquery", "js", "table",
    ]

    /// Calls a function.
    ///
    /// - Throws: ``CommandError`` whose text is the reason alone.
    static func call(_ name: String, _ arguments: [JSONValue]) throws(CommandError) -> JSONValue {
        func need(_ count: Int) throws(CommandError) {
            guard arguments.count >= count else {
                throw CommandError("wrong number of args for \(name): want \(count) got \(arguments.count)")
            }
        }
        func text(_ index: Int) -> String { TemplateText.shown(arguments[index]) }
        switch name {
        case "print": return .string(print(arguments))
        case "println": return .string(arguments.map(TemplateText.shown).joined(separator: " ") + "\n")
        case "and": return arguments.first { !TemplateText.isTrue($0) } ?? arguments.last ?? nil
        case "or": return arguments.first { TemplateText.isTrue($0) } ?? arguments.last ?? nil
        default: break
        }
        try need(1)
        switch name {
        case "json": return .string(arguments[0].text())
        case "title": return .string(title(text(0)))
        case "lower": return .string(text(0).lowercased())
        case "upper": return .string(text(0).uppercased())
        case "not": return .bool(!TemplateText.isTrue(arguments[0]))
        case "len": return try length(arguments[0])
        case "html", "js", "urlquery": return .string(name == "urlquery" ? PercentEncoding.encode(text(0)) : text(0))
        case "printf": return .string(TemplateText.formatted(text(0), Array(arguments.dropFirst())))
        case "index":
            var value = arguments[0]
            for key in arguments.dropFirst() { value = try element(value, key) }
            return value
        case "slice": return try slice(arguments)
        default: break
        }
        try need(2)
        switch name {
        case "split":
            return .array(
                text(0).pieces(separatedBy: text(1)).map { .string($0) })
        case "join": return .string((arguments[0].array ?? []).map(TemplateText.shown).joined(separator: text(1)))
        case "truncate": return .string(String(text(0).prefix(Int(arguments[1].int ?? 0))))
        case "eq": return .bool(arguments.dropFirst().contains { isEqual(arguments[0], $0) })
        case "ne": return .bool(!isEqual(arguments[0], arguments[1]))
        case "lt": return .bool(try compare(arguments[0], arguments[1]) < 0)
        case "le": return .bool(try compare(arguments[0], arguments[1]) <= 0)
        case "gt": return .bool(try compare(arguments[0], arguments[1]) > 0)
        case "ge": return .bool(try compare(arguments[0], arguments[1]) >= 0)
        default: break
        }
        try need(3)
        guard name == "pad" else { throw CommandError("function \"\(name)\" not defined") }
        let (before, after) = (Int(arguments[1].int ?? 0), Int(arguments[2].int ?? 0))
        return .string(
            String(repeating: " ", count: max(0, before)) + text(0) + String(repeating: " ", count: max(0, after)))
    }

    /// Go's `Sprint`: blanks stand only between neighbours that are both no strings.
    private static func print(_ arguments: [JSONValue]) -> String {
        var result = ""
        for (index, argument) in arguments.enumerated() {
            if index > 0, argument.string == nil, arguments[index - 1].string == nil { result += " " }
            result += TemplateText.shown(argument)
        }
        return result
    }

    private static func title(_ text: String) -> String {
        var startsWord = true
        return String(
            text.map { character in
                defer {
                    startsWord = !(character.isLetter || character.isNumber || character == "_" || character == "'")
                }
                return startsWord ? Character(character.uppercased()) : character
            })
    }

    private static func length(_ value: JSONValue) throws(CommandError) -> JSONValue {
        switch value {
        case .string(let text): return .int(Int64(text.utf8.count))
        case .array(let list): return .int(Int64(list.count))
        case .object(let object): return .int(Int64(object.count))
        case .null: return .int(0)
        default: throw CommandError("error calling len: len of type \(value.kindName)")
        }
    }

    private static func element(_ value: JSONValue, _ key: JSONValue) throws(CommandError) -> JSONValue {
        switch value {
        case .object(let object): return object[TemplateText.shown(key)] ?? ""
        case .array(let list):
            guard let index = key.int, list.indices.contains(Int(index)) else {
                throw CommandError("error calling index: index out of range: \(TemplateText.shown(key))")
            }
            return list[Int(index)]
        case .string(let text):
            guard let index = key.int, text.utf8.count > index, index >= 0 else {
                throw CommandError("error calling index: index out of range: \(TemplateText.shown(key))")
            }
            return .int(Int64(Array(text.utf8)[Int(index)]))
        default: throw CommandError("error calling index: index of untyped nil")
        }
    }

    private static func slice(_ arguments: [JSONValue]) throws(CommandError) -> JSONValue {
        let count = arguments[0].array?.count ?? arguments[0].string?.utf8.count ?? 0
        let first = arguments.count > 1 ? Int(arguments[1].int ?? 0) : 0
        let last = arguments.count > 2 ? Int(arguments[2].int ?? 0) : count
        guard 0...count ~= first, first...count ~= last else {
            throw CommandError("error calling slice: index out of range: \(last)")
        }
        if let list = arguments[0].array { return .array(Array(list[first..<last])) }
        guard let text = arguments[0].string else { throw CommandError("error calling slice: can't slice item") }
        return .string(String(decoding: Array(text.utf8)[first..<last], as: UTF8.self))
    }

    private static func isEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if let left = left.double, let right = right.double { return left == right }
        return left == right
    }

    private static func compare(_ left: JSONValue, _ right: JSONValue) throws(CommandError) -> Int {
        if let left = left.double, let right = right.double { return left < right ? -1 : left > right ? 1 : 0 }
        if let left = left.string, let right = right.string { return left < right ? -1 : left > right ? 1 : 0 }
        throw CommandError("error calling lt: incompatible types for comparison")
    }
}

/// How templates print values: as Go's `fmt` prints them.
enum TemplateText {
    static func isTrue(_ value: JSONValue) -> Bool {
        switch value {
        case .null: false
        case .bool(let value): value
        case .int, .uint, .double: value.double != 0
        case .string(let text): !text.isEmpty
        case .array(let list): !list.isEmpty
        case .object(let object): !object.isEmpty
        }
    }

    /// `%v`.
    static func shown(_ value: JSONValue) -> String {
        switch value {
        case .null: return "<nil>"
        case .bool(let value): return value ? "true" : "false"
        case .string(let text): return text
        case .array(let list): return "[" + list.map(shown).joined(separator: " ") + "]"
        case .object(let object):
            let members = object.keys.sorted().map { "\($0):\(shown(object[$0] ?? nil))" }
            return "map[" + members.joined(separator: " ") + "]"
        case .int, .uint, .double: return value.text()
        }
    }

    /// `printf` with the verbs v, s, d, q, x, t, f and %, a width, a precision, and `-` and `0`.
    static func formatted(_ format: String, _ arguments: [JSONValue]) -> String {
        var result = ""
        var rest = Substring(format)
        var arguments = arguments[...]
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            let flags = rest.prefix { "-+# 0".contains($0) }
            rest = rest.dropFirst(flags.count)
            let width = rest.prefix { $0.isNumber }
            rest = rest.dropFirst(width.count)
            var precision: Int?
            if rest.first == "." {
                let digits = rest.dropFirst().prefix { $0.isNumber }
                precision = Int(digits) ?? 0
                rest = rest.dropFirst(digits.count + 1)
            }
            guard let verb = rest.popFirst() else { return result + "%!(NOVERB)" }
            if verb == "%" {
                result += "%"
                continue
            }
            guard let argument = arguments.popFirst() else {
                result += "%!\(verb)(MISSING)"
                continue
            }
            let text = spelled(argument, verb, precision)
            let blanks = max(0, (Int(width) ?? 0) - text.count)
            if flags.contains("-") {
                result += text + String(repeating: " ", count: blanks)
            } else {
                result += String(repeating: flags.contains("0") ? "0" : " ", count: blanks) + text
            }
        }
        if !arguments.isEmpty {
            result += "%!(EXTRA " + arguments.map { "\($0.kindName)=\(shown($0))" }.joined(separator: ", ") + ")"
        }
        return result
    }

    private static func spelled(_ value: JSONValue, _ verb: Character, _ precision: Int?) -> String {
        switch verb {
        case "q": return JSONValue.string(shown(value)).text()
        case "x", "X":
            if let number = value.int { return String(number, radix: 16, uppercase: verb == "X") }
            return shown(value).utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: verb == "X") }
                .joined()
        case "f":
            return value.double.map { HumanText.fixed($0, digits: precision ?? 6) }
                ?? "%!f(\(value.kindName)=\(shown(value)))"
        case "d": return value.int == nil ? "%!d(\(value.kindName)=\(shown(value)))" : shown(value)
        case "s", "v", "t":
            return precision.map { String(shown(value).prefix($0)) } ?? shown(value)
        default: return "%!\(verb)(\(value.kindName)=\(shown(value)))"
        }
    }
}
