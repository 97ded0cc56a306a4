/// The kernel's side of a filter: runs a classic BPF program on one system call.
struct FilterMachine {
    let program: [UInt8]

    /// What the program returns; `nil` if it is not one the kernel would take.
    func run(architecture: UInt32, number: UInt32, arguments: [UInt64] = []) -> UInt32? {
        var data = [number, architecture, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0
            data += [UInt32(truncatingIfNeeded: argument), UInt32(truncatingIfNeeded: argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var position = 0
        while position * 8 + 8 <= program.count {
            let bytes = program[(position * 8)..<(position * 8 + 8)].map { UInt32($0) }
            let code = bytes[0] | bytes[1] << 8
            let operand = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | bytes[7] << 24
            position += 1
            func jump(_ isTrue: Bool) { position += Int(isTrue ? bytes[2] : bytes[3]) }
            switch code {
            case 0x20:
                guard operand % 4 == 0, operand < 64 else { return nil }
                accumulator = data[Int(operand / 4)]
            case 0x54: accumulator &= operand
            case 0x05: position += Int(operand)
            case 0x15: jump(accumulator == operand)
            case 0x25: jump(accumulator > operand)
            case 0x35: jump(accumulator >= operand)
            case 0x06: return operand
            default: return nil
            }
        }
        return nil
    }
}
