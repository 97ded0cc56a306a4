import Cgroups
import LinuxKernel
import OCISpec
import Resctrl
import Seccomp
import SystemPackage

/// Does `body`, and says for its error what was being done.
@discardableResult
func attempt<Value>(
    _ what: @autoclosure () -> String, kind: RuntimeError.Kind = .system, _ body: () throws(Errno) -> Value
) throws(RuntimeError) -> Value {
    do throws(Errno) {
        return try body()
    } catch {
        throw RuntimeError(kind, "\(what()): \(error.words)")
    }
}

/// Does `body`, which is about the container's control group.
@discardableResult
func withCgroupErrors<Value>(_ body: () throws(CgroupError) -> Value) throws(RuntimeError) -> Value {
    do throws(CgroupError) {
        return try body()
    } catch {
        throw RuntimeError(.system, error.message)
    }
}

/// Does `body`, which is about the container's class of service.
@discardableResult
func withResctrlErrors<Value>(_ body: () throws(ResctrlError) -> Value) throws(RuntimeError) -> Value {
    do throws(ResctrlError) {
        return try body()
    } catch {
        throw RuntimeError(.system, error.message)
    }
}

extension ServiceClass {
    /// The class that `wanted` asks for, if this machine can give it. Nothing is made yet.
    init(checking wanted: LinuxIntelRdt, id: String) throws(RuntimeError) {
        let machine = Resctrl.mounted()
        do throws(ResctrlError) {
            try Resctrl.check(wanted, on: machine)
        } catch {
            throw RuntimeError(.invalid, error.message)
        }
        guard let machine else { throw RuntimeError(.invalid, "Intel RDT is not enabled") }
        self.init(wanted, id: id, on: machine)
    }
}
