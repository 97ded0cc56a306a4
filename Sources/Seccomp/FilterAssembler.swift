import Glibc

/// One instruction of classic BPF (`struct sock_filter`).
struct FilterInstruction: Hashable {
    var code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32

    static func load(_ offset: UInt32) -> Self { Self(code: 0x20, operand: offset) }
    static func and(_ mask: UInt32) -> Self { Self(code: 0x54, operand: mask) }
    static func jump(_ count: Int) -> Self { Self(code: 0x05, operand: UInt32(count)) }
    static func end(_ action: SeccompAction) -> Self { Self(code: 0x06, operand: action.rawValue) }
    static let equal: UInt16 = 0x15
    static let greater: UInt16 = 0x25
    static let greaterOrEqual: UInt16 = 0x35

    func append(to bytes: inout [UInt8]) {
        bytes += [UInt8(truncatingIfNeeded: code), UInt8(truncatingIfNeeded: code >> 8), ifTrue, ifFalse]
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: operand >> shift))
        }
    }
}

/// Makes filter programs that find a system call's rule by binary search.
///
/// Runs of numbers with the same fate are one leaf of the search, so a profile that allows four hundred calls comes out
/// at some hundred instructions. Beside the time to make them, that is what loading costs: the kernel tries every
/// number on every program.
struct FilterAssembler {
    let rules: SeccompRules

    /// The decision about one system call number.
    private struct Decision: Hashable {
        var conditional: [Chain] = []
        var otherwise: SeccompAction?
    }

    /// Conditions that must all hold, and what happens then.
    private struct Chain: Hashable {
        var conditions: [SeccompRules.Condition]
        var action: SeccompAction
    }

    /// A run of numbers up to the next one's first.
    private struct Range {
        var first: UInt32
        var decision: Decision
    }

    func assemble(_ architectures: [FilterArchitecture]) -> [FilterInstruction] {
        // struct seccomp_data: number (0), architecture (4), instruction pointer (8), six arguments (16, …).
        var program = [FilterInstruction.load(4)]
        let x32 = architectures.first { $0.isX32 }
        for architecture in architectures where !architecture.isX32 {
            var ranges = ranges(architecture)
            if architecture.isX86_64 { ranges += x32Ranges(x32) }
            let section = [FilterInstruction.load(0)] + search(ranges[...])
            if section.count <= 255 {
                program.append(
                    FilterInstruction(
                        code: FilterInstruction.equal, ifFalse: UInt8(section.count), operand: architecture.auditNumber)
                )
            } else {
                program.append(
                    FilterInstruction(code: FilterInstruction.equal, ifTrue: 1, operand: architecture.auditNumber))
                program.append(.jump(section.count))
            }
            program += section
        }
        // An architecture the profile does not name: its numbers mean something else.
        program.append(.end(.killThread))
        return program
    }

    // MARK: From rules to ranges

    private func ranges(_ architecture: FilterArchitecture) -> [Range] {
        let decisions = decisions(architecture)
        let numbers = decisions.keys.sorted()
        var ranges: [Range] = []
        let fallback = Decision(otherwise: rules.defaultAction)
        func add(_ first: UInt32, _ decision: Decision) {
            if ranges.last?.decision != decision { ranges.append(Range(first: first, decision: decision)) }
        }
        var next: UInt32 = architecture.isX32 ? FilterArchitecture.x32Bit : 0
        for number in numbers {
            if number > next { add(next, fallback) }
            var decision = decisions[number] ?? fallback
            if decision.otherwise == nil { decision.otherwise = rules.defaultAction }
            add(number, decision)
            next = number + 1
        }
        let isUnknownBetter = rules.defaultAction.isErrno && !numbers.isEmpty
        add(next, isUnknownBetter ? Decision(otherwise: .errno(UInt32(ENOSYS))) : fallback)
        return ranges
    }

    /// Numbers of x32, which come among those of x86-64. Where the profile does not name x32 they are as any other
    /// foreign architecture's, but for -1: a tracer that skips a call leaves that.
    private func x32Ranges(_ x32: FilterArchitecture?) -> [Range] {
        let last = Range(first: .max, decision: Decision(otherwise: rules.defaultAction))
        if let x32 { return ranges(x32) + [last] }
        return [Range(first: FilterArchitecture.x32Bit, decision: Decision(otherwise: .killThread)), last]
    }

    private func decisions(_ architecture: FilterArchitecture) -> [UInt32: Decision] {
        var decisions: [UInt32: Decision] = [:]
        for rule in rules.rules {
            for name in rule.names {
                for entry in architecture.entries(for: name) {
                    add(rule, entry, to: &decisions[entry.number, default: Decision()])
                }
            }
        }
        return decisions
    }

    private func add(_ rule: SeccompRules.Rule, _ entry: FilterArchitecture.Entry, to decision: inout Decision) {
        // As libseccomp has it: the first rule without conditions stands, and takes the place of those with.
        guard decision.otherwise == nil else { return }
        for alternative in rule.alternatives {
            if let function = entry.firstArgument {
                // Behind such a call the arguments are in memory, where a filter cannot look.
                guard alternative.isEmpty else { continue }
                let condition = SeccompRules.Condition(argument: 0, comparison: .equal, value: function, secondValue: 0)
                decision.conditional.append(Chain(conditions: [condition], action: rule.action))
            } else if alternative.isEmpty {
                decision = Decision(otherwise: rule.action)
                return
            } else {
                decision.conditional.append(Chain(conditions: alternative, action: rule.action))
            }
        }
    }

    // MARK: From ranges to instructions

    private func search(_ ranges: ArraySlice<Range>) -> [FilterInstruction] {
        guard ranges.count > 1 else { return ranges.first.map { leaf($0.decision) } ?? [] }
        let middle = ranges.startIndex + ranges.count / 2
        let below = search(ranges[..<middle])
        let above = search(ranges[middle...])
        var test = FilterInstruction(code: FilterInstruction.greaterOrEqual, operand: ranges[middle].first)
        if below.count <= 255 {
            test.ifTrue = UInt8(below.count)
            return [test] + below + above
        }
        test.ifFalse = 1
        return [test, .jump(below.count)] + below + above
    }

    private func leaf(_ decision: Decision) -> [FilterInstruction] {
        var code: [FilterInstruction] = []
        for chain in decision.conditional {
            code += instructions(for: chain.conditions)
            code.append(.end(chain.action))
        }
        code.append(.end(decision.otherwise ?? rules.defaultAction))
        return code
    }

    /// Where a test leads to.
    private enum Target {
        case next, holds, fails
    }

    private struct Step {
        var instruction: FilterInstruction
        var ifTrue = Target.next
        var ifFalse = Target.next
    }

    /// Tests for all of `conditions`; what follows next is skipped if one does not hold.
    private func instructions(for conditions: [SeccompRules.Condition]) -> [FilterInstruction] {
        let tests = conditions.map(steps)
        let count = tests.reduce(0) { $0 + $1.count }
        var code: [FilterInstruction] = []
        for test in tests {
            let end = code.count + test.count
            for step in test {
                func distance(_ target: Target) -> UInt8 {
                    switch target {
                    case .next: 0
                    case .holds: UInt8(end - code.count - 1)
                    // One more than all the tests, over the action.
                    case .fails: UInt8(count - code.count)
                    }
                }
                var instruction = step.instruction
                instruction.ifTrue = distance(step.ifTrue)
                instruction.ifFalse = distance(step.ifFalse)
                code.append(instruction)
            }
        }
        return code
    }

    /// Arguments have 64 bits, the machine has 32: the upper half is looked at first.
    private func steps(_ condition: SeccompRules.Condition) -> [Step] {
        let low = Step(instruction: .load(16 + 8 * condition.argument))
        let high = Step(instruction: .load(20 + 8 * condition.argument))
        let lowValue = UInt32(truncatingIfNeeded: condition.value)
        let highValue = UInt32(truncatingIfNeeded: condition.value >> 32)
        func test(_ code: UInt16, _ operand: UInt32, _ ifTrue: Target, _ ifFalse: Target) -> Step {
            Step(instruction: FilterInstruction(code: code, operand: operand), ifTrue: ifTrue, ifFalse: ifFalse)
        }
        let (equal, greater) = (FilterInstruction.equal, FilterInstruction.greater)
        let atLeast = FilterInstruction.greaterOrEqual
        switch condition.comparison {
        case .equal:
            return [high, test(equal, highValue, .next, .fails), low, test(equal, lowValue, .holds, .fails)]
        case .notEqual:
            return [high, test(equal, highValue, .next, .holds), low, test(equal, lowValue, .fails, .holds)]
        case .greater, .greaterOrEqual:
            let last = condition.comparison == .greater ? greater : atLeast
            return [
                high, test(greater, highValue, .holds, .next), test(equal, highValue, .next, .fails), low,
                test(last, lowValue, .holds, .fails),
            ]
        case .less, .lessOrEqual:
            let last = condition.comparison == .less ? atLeast : greater
            return [
                high, test(greater, highValue, .fails, .next), test(equal, highValue, .next, .holds), low,
                test(last, lowValue, .fails, .holds),
            ]
        case .maskedEqual:
            let second = condition.secondValue
            return [
                high, Step(instruction: .and(highValue)),
                test(equal, UInt32(truncatingIfNeeded: second >> 32), .next, .fails), low,
                Step(instruction: .and(lowValue)), test(equal, UInt32(truncatingIfNeeded: second), .holds, .fails),
            ]
        }
    }
}
