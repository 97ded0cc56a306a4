import CLinux
import LinuxKernel
import SystemPackage

/// The eBPF program that decides on version 2 which devices a control group may use (`BPF_PROG_TYPE_CGROUP_DEVICE`).
///
/// The kernel calls it with a `struct bpf_cgroup_dev_ctx`: a word with the access in its upper and the kind in its
/// lower half, the major and the minor number. It answers 1 to allow.
package struct DeviceProgram: Hashable, Sendable {
    /// The instructions, eight bytes each.
    package private(set) var instructions: [UInt64] = []

    /// A program in which later rules override earlier ones, and what no rule is about is forbidden.
    package init(_ rules: [DeviceRule]) {
        // r2 = kind, r3 = access, r4 = major, r5 = minor
        emit(0x61, destination: 2, source: 1, offset: 0, immediate: 0)
        emit(0x54, destination: 2, immediate: 0xffff)
        emit(0x61, destination: 3, source: 1, offset: 0, immediate: 0)
        emit(0x74, destination: 3, immediate: 16)
        emit(0x61, destination: 4, source: 1, offset: 4, immediate: 0)
        emit(0x61, destination: 5, source: 1, offset: 8, immediate: 0)
        // The first match decides, so the last rule comes first.
        var decided = false
        for rule in rules.reversed() {
            emit(rule)
            if rule.kind == .all && rule.major == nil && rule.minor == nil && rule.access == .all {
                // Nothing is left for earlier rules, and the verifier refuses instructions that nothing leads to.
                decided = true
                break
            }
        }
        if !decided { emitVerdict(false) }
    }

    private mutating func emit(_ rule: DeviceRule) {
        var tests: [(operation: UInt8, destination: UInt8, immediate: Int32)] = []
        switch rule.kind {
        case .all: break
        case .block: tests.append((0x55, 2, 1))
        case .character: tests.append((0x55, 2, 2))
        }
        if let major = rule.major { tests.append((0x55, 4, Int32(bitPattern: major))) }
        if let minor = rule.minor { tests.append((0x55, 5, Int32(bitPattern: minor))) }
        // If the rule is not about the access: jump over the rest of the rule and its verdict (2 instructions).
        var accessTest: [(UInt8, UInt8, UInt8, Int32)] = []
        if rule.access != .all {
            if rule.allow {
                // Every access asked for must be allowed: skip if any bit is outside.
                accessTest = [(0xbc, 1, 3, 0), (0x54, 1, 0, ~rule.access.rawValue & 7), (0x55, 1, 0, 0)]
            } else {
                // One forbidden access is enough: skip if no bit is inside.
                accessTest = [(0xbc, 1, 3, 0), (0x54, 1, 0, rule.access.rawValue), (0x15, 1, 0, 0)]
            }
        }
        var remaining = tests.count + accessTest.count
        for test in tests {
            remaining -= 1
            emit(test.operation, destination: test.destination, offset: Int16(remaining + 2), immediate: test.immediate)
        }
        for step in accessTest {
            remaining -= 1
            let isJump = step.0 == 0x55 || step.0 == 0x15
            emit(step.0, destination: step.1, source: step.2, offset: isJump ? Int16(2) : 0, immediate: step.3)
        }
        emitVerdict(rule.allow)
    }

    private mutating func emitVerdict(_ allow: Bool) {
        emit(0xb4, destination: 0, immediate: allow ? 1 : 0)
        emit(0x95)
    }

    /// struct bpf_insn: opcode (8), destination and source register (4 each), offset (16), immediate (32).
    private mutating func emit(
        _ operation: UInt8, destination: UInt8 = 0, source: UInt8 = 0, offset: Int16 = 0, immediate: Int32 = 0
    ) {
        instructions.append(
            UInt64(operation) | UInt64(destination) << 8 | UInt64(source) << 12
                | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(UInt32(bitPattern: immediate)) << 32)
    }

    /// Attaches the program to the control group `directory` in place of the one that is there.
    func attach(to directory: FilePath) throws(CgroupError) {
        func check(_ result: Int, _ what: String) throws(CgroupError) -> CInt {
            guard result >= 0 else {
                throw CgroupError("cannot set device access: \(what) on \(directory)", Errno(rawValue: CInt(-result)))
            }
            return CInt(result)
        }
        let group: FileDescriptor
        do throws(Errno) {
            group = try Files.open(directory, [.readOnly, .directory])
        } catch {
            throw CgroupError("open \(directory)", error)
        }
        defer { group.discard() }
        let program = try check(
            instructions.withUnsafeBytes { masu_bpf_load_device_program($0.baseAddress, UInt32(instructions.count)) },
            "loading the BPF program")
        defer { FileDescriptor(rawValue: program).discard() }
        var ids = [UInt32](repeating: 0, count: 64)
        let count = try check(masu_bpf_device_programs(group.rawValue, &ids, 64), "asking for BPF programs")
        // Exactly one is there on an update, and it is ours. With any other number ours is added beside them.
        var replaced: CInt = -1
        if count == 1 { replaced = try check(masu_bpf_program_descriptor(ids[0]), "opening the present BPF program") }
        defer { if replaced >= 0 { FileDescriptor(rawValue: replaced).discard() } }
        _ = try check(
            masu_bpf_attach_device_program(group.rawValue, program, replaced), "attaching the BPF program")
    }
}
