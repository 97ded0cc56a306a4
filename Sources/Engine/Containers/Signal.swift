import LinuxKernel

extension Signal {
    /// The signal called `text` (see `Signal.init(_:)`); throws Docker's text for anything else.
    package static func parse(_ text: String) throws(EngineError) -> Signal {
        guard let signal = Signal(text) else { throw .invalid("invalid signal: \(text)") }
        return signal
    }
}
