import SystemPackage

/// What all streams of a shim share.
package final class StreamContext {
    let loop: EventLoop
    /// All output goes through this and is out of it again before the next event.
    let buffer: ReadBuffer
    /// All input does so through this, which is another because a client can turn out to be gone, and be asked for its
    /// last input, while output is being passed to it. What waits in files for slow clients takes this way too.
    let inputBuffer: PageBuffer
    /// What clients of ports and of the resolver take descriptors from.
    let descriptors: DescriptorBudget
    /// Called when an attachment has been ended by its detach keys.
    var onDetach: (ProcessStreams) -> Void = { _ in }
    /// Called when a client has gone or has all it will get.
    var onClientGone: () -> Void = {}
    /// Called when more memory has been used than an idle shim may keep.
    var onHeavyUse: () -> Void = {}

    /// What the streams of `loop` share.
    package init(loop: EventLoop, descriptors: DescriptorBudget = .ofThisProcess()) throws(Errno) {
        self.loop = loop
        self.descriptors = descriptors
        buffer = try ReadBuffer()
        inputBuffer = try PageBuffer(count: 64 << 10)
    }

    /// Gives memory back that is only needed when there is much to do.
    func release() {
        buffer.release()
        inputBuffer.release()
    }
}
