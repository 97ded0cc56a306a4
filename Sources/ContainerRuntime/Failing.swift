import Cgroups
import LinuxKernel
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
