import Cgroups
import OCISpec
import Testing

@Suite("device rules")
struct DeviceProgramTests {
    /// The kernel's side: runs a program on one access as its BPF machine would.
    static func decide(
        _ program: DeviceProgram, kind: UInt32, access: UInt32, major: UInt32, minor: UInt32
    ) -> Bool? {
        var registers = [UInt64](repeating: 0, count: 11)
        let context: [UInt32] = [access << 16 | kind, major, minor]
        var position = 0
        for _ in 0..<10_000 {
            guard program.instructions.indices.contains(position) else { return nil }
            let instruction = program.instructions[position]
            let destination = Int(instruction >> 8 & 15)
            let source = Int(instruction >> 12 & 15)
            let offset = Int(Int16(truncatingIfNeeded: instruction >> 16))
            let immediate = Int64(Int32(truncatingIfNeeded: instruction >> 32))
            position += 1
            switch instruction & 0xff {
            case 0x61: registers[destination] = UInt64(context[offset / 4])
            case 0x54:
                registers[destination] = UInt64(
                    UInt32(truncatingIfNeeded: registers[destination]) & UInt32(truncatingIfNeeded: immediate))
            case 0x74:
                registers[destination] = UInt64(UInt32(truncatingIfNeeded: registers[destination]) >> UInt32(immediate))
            case 0xbc: registers[destination] = UInt64(UInt32(truncatingIfNeeded: registers[source]))
            case 0xb4: registers[destination] = UInt64(UInt32(truncatingIfNeeded: immediate))
            case 0x55: if registers[destination] != UInt64(bitPattern: immediate) { position += offset }
            case 0x15: if registers[destination] == UInt64(bitPattern: immediate) { position += offset }
            case 0x95: return registers[0] == 1
            default: return nil
            }
        }
        return nil
    }

    private static func rules(_ rules: [LinuxDeviceCgroup]) throws -> [DeviceRule] {
        try rules.map { try DeviceRule($0) }
    }

    @Test("the last rule about a device decides, all accesses must be allowed, and nothing is allowed by itself")
    func decisions() throws {
        let program = DeviceProgram(
            try Self.rules([
                LinuxDeviceCgroup(allow: false, access: "rwm"),
                LinuxDeviceCgroup(allow: true, type: "c", access: "m"),
                LinuxDeviceCgroup(allow: true, type: "c", major: 1, minor: 3, access: "rw"),
                LinuxDeviceCgroup(allow: true, type: "c", major: 136, access: "rwm"),
                LinuxDeviceCgroup(allow: true, type: "b", major: 8, minor: 0, access: "r"),
                LinuxDeviceCgroup(allow: false, type: "c", major: 136, minor: 7, access: "w"),
            ]))
        let (makeNode, read, write): (UInt32, UInt32, UInt32) = (1, 2, 4)
        let (block, character): (UInt32, UInt32) = (1, 2)
        func decide(_ kind: UInt32, _ access: UInt32, _ major: UInt32, _ minor: UInt32) -> Bool? {
            Self.decide(program, kind: kind, access: access, major: major, minor: minor)
        }
        #expect(decide(character, read | write, 1, 3) == true)
        #expect(decide(character, read | makeNode, 1, 3) == false, "no single rule allows both")
        #expect(decide(character, read, 1, 4) == false)
        #expect(decide(character, makeNode, 99, 99) == true)
        #expect(decide(character, read | write | makeNode, 136, 1) == true)
        #expect(decide(character, read, 136, 7) == true)
        #expect(decide(character, read | write, 136, 7) == false)
        #expect(decide(block, read, 8, 0) == true)
        #expect(decide(block, write, 8, 0) == false)
        #expect(decide(character, read, 8, 0) == false)
        #expect(Self.decide(DeviceProgram([]), kind: character, access: read, major: 1, minor: 3) == false)
    }

    @Test("a rule for everything ends the program, as the kernel's verifier wants it")
    func everything() throws {
        let program = DeviceProgram(
            try Self.rules([
                LinuxDeviceCgroup(allow: false, type: "c", major: 1, minor: 3, access: "r"),
                LinuxDeviceCgroup(allow: true),
            ]))
        #expect(Self.decide(program, kind: 2, access: 2, major: 1, minor: 3) == true)
        #expect(program.instructions.count == 8)
    }

    @Test(
        "nonsense is refused",
        arguments: [
            LinuxDeviceCgroup(allow: true, type: "x"), LinuxDeviceCgroup(allow: true, access: "q"),
            LinuxDeviceCgroup(allow: true, major: -2),
        ])
    func refused(_ rule: LinuxDeviceCgroup) {
        #expect(throws: CgroupError.self) { try DeviceRule(rule) }
    }
}
