import Failure
import Testing

@Suite("Undo")
struct UndoTests {
    struct Broken: Error {}

    @Test("steps are taken back in the reverse order, once")
    func order() {
        var done: [Int] = []
        var undo = Undo<Undoing>()
        withUnsafeMutablePointer(to: &done) { done in
            for number in 1...3 { undo.add("step \(number)") { done.pointee.append(number) } }
            undo.run()
            undo.run()
        }
        #expect(done == [3, 2, 1])
        #expect(undo.isEmpty)
    }

    @Test("a step that fails is reported by its name and keeps none of the others from running")
    func failing() {
        var reported: [String] = []
        var undo = Undo<Undoing>()
        let ran = Counter()
        undo.add("first") { ran.value += 1 }
        undo.add("second") { throw Broken() }
        undo.add("third") { ran.value += 1 }
        undo.run { step, failure in
            #expect(failure is Broken)
            reported.append(step)
        }
        #expect(ran.value == 2)
        #expect(reported == ["second"])
    }

    private final class Counter {
        var value = 0
    }
}
