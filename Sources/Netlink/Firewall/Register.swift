import SystemPackage

/// A place where expressions of a rule leave values for those behind them: sixteen of four bytes each. Longer values
/// take several.
package struct Register: Hashable, Sendable {
    /// Which of the sixteen.
    package let slot: Int

    /// The one number `slot`, from 0 to 15.
    package init(slot: Int) {
        precondition((0..<16).contains(slot))
        self.slot = slot
    }

    /// The first one.
    package static let first = Register(slot: 0)

    /// That behind a value of so many bytes in this one.
    package func after(_ length: Int) -> Register { Register(slot: slot + (length + 3) / 4) }

    /// `NFT_REG_1` to `NFT_REG_4` are groups of four of them, which is how the kernel names the first of each group.
    init(number: UInt32) throws(Errno) {
        switch number {
        case 1...4: self.init(slot: Int(number - 1) * 4)
        case 8...23: self.init(slot: Int(number - 8))
        default: throw .badMessage
        }
    }

    var number: UInt32 { UInt32(slot.isMultiple(of: 4) ? 1 + slot / 4 : 8 + slot) }

    /// `NFT_REG_VERDICT`: what is put there decides about the packet.
    static let verdictNumber: UInt32 = 0
}
