/// Looks for the detach keys in a client's input, which may come one at a time.
package struct DetachScanner {
    private let keys: [UInt8]
    private var matched = 0

    /// Looks for `keys`, which are not empty.
    package init?(_ keys: [UInt8]) {
        guard !keys.isEmpty else { return nil }
        self.keys = keys
    }

    /// The input to be passed on, and whether the keys have been pressed; what comes after them is dropped.
    ///
    /// Keys that might begin the sequence are held back until it is clear that they do not.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> (input: [UInt8], isDetached: Bool) {
        var input: [UInt8] = []
        input.reserveCapacity(bytes.count + matched)
        for byte in bytes {
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (input, true) }
                continue
            }
            input.append(contentsOf: keys[..<matched])
            matched = 0
            if byte == keys[0] {
                matched = 1
                if matched == keys.count { return (input, true) }
            } else {
                input.append(byte)
            }
        }
        return (input, false)
    }
}
