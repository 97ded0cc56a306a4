/// What has been done and can be taken back: steps in the order they were done.
///
/// An operation of several steps adds how to take back each one right after it was done. After an error it runs the
/// steps, newest first; after success it drops the value.
///
///     var undo = Undo<Undoing>()
///     do {
///         try Files.makeDirectory(path)
///         undo.add("directory \(path)") { try Files.removeDirectory(path) }
///         …
///     } catch {
///         undo.run { step, failure in log("cannot take back \(step): \(failure)") }
///         throw error
///     }
///
/// `Action` is a function without arguments: `Undoing` in programs that do without Swift's concurrency. A module that
/// has to await its steps uses a function type of its own and runs what `takeAll` returns.
package struct Undo<Action> {
    /// One step.
    package struct Step {
        /// What the step takes back, for messages: "snapshot web", "cgroup /masu/1234".
        package let name: String
        /// Takes it back.
        package let action: Action
    }

    private var steps: [Step] = []

    /// Nothing has been done yet.
    package init() {}

    /// Whether there is nothing to take back.
    package var isEmpty: Bool { steps.isEmpty }

    /// Notes how to take back what has just been done; `name` says what that is.
    package mutating func add(_ name: String, _ action: Action) {
        steps.append(Step(name: name, action: action))
    }

    /// The steps in the order in which they are to be run, newest first; afterwards there are none.
    package mutating func takeAll() -> [Step] {
        defer { steps = [] }
        return steps.reversed()
    }
}

/// A step that is taken back at once.
package typealias Undoing = () throws -> Void

extension Undo where Action == Undoing {
    /// Runs all steps, newest first, each whatever becomes of the others. `report` is told of those that fail: the
    /// error the caller throws is the one that led here.
    package mutating func run(report: (_ step: String, _ failure: any Error) -> Void = { _, _ in }) {
        for step in takeAll() {
            do { try step.action() } catch { report(step.name, error) }
        }
    }
}
