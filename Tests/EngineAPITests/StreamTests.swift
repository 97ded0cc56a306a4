import Engine
import EngineAPI
import OCISpec
import Testing

@Suite("Log streams")
struct StreamTests {
    @Test("a frame is the stream, three zeros, the length and the bytes")
    func frame() {
        let payload = [UInt8](repeating: 9, count: 300)
        #expect(StreamFrame.bytes(payload[...], on: .stderr) == [2, 0, 0, 0, 0, 0, 1, 44] + payload)
        #expect(StreamFrame.bytes([], on: .stdout) == [1, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test("each line of a multiplexed log has its own frame")
    func multiplexed() {
        let framing = LogFraming(isMultiplexed: true, timestamps: false, details: false)
        var bytes: [UInt8] = []
        framing.append([97, 10], of: .stdout, at: .zero, details: [:], to: &bytes)
        framing.append([98], of: .stderr, at: .zero, details: [:], to: &bytes)
        #expect(bytes == [1, 0, 0, 0, 0, 0, 0, 2, 97, 10, 2, 0, 0, 0, 0, 0, 0, 1, 98])
    }

    @Test("time and details stand before the line, in that order")
    func prefixes() {
        let framing = LogFraming(isMultiplexed: false, timestamps: true, details: true)
        var bytes: [UInt8] = []
        framing.append(
            Array("a\n".utf8), of: .stdout, at: Timestamp(seconds: 1, nanoseconds: 5), details: ["k": "v", "b": "c"],
            to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "1970-01-01T00:00:01.000000005Z b=c,k=v a\n")
    }
}
