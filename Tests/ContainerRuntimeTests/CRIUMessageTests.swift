import ContainerRuntime
import LinuxKernel
import Testing

@Suite("messages to and from CRIU")
struct CRIUMessageTests {
    @Test(
        "numbers are written seven bits a byte, negative ones as 64 bits",
        arguments: [
            (0, [0x08, 0x00]), (1, [0x08, 0x01]), (127, [0x08, 0x7f]), (128, [0x08, 0x80, 0x01]),
            (300, [0x08, 0xac, 0x02]),
            (-1, [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] as [(Int32, [UInt8])])
    func numbers(_ value: Int32, _ bytes: [UInt8]) throws {
        var writer = ProtocolBufferWriter()
        writer.add(1, value)
        #expect(writer.bytes == bytes)
        #expect(try ProtocolBufferFields(bytes).int32(1) == value)
    }

    @Test("a field with a number above 15 has a key of two bytes, text and messages have their length before them")
    func fields() throws {
        var writer = ProtocolBufferWriter()
        writer.add(16, true)
        writer.add(2, "criu")
        writer.add(3) { $0.add(1, 5 as UInt64) }
        #expect(
            writer.bytes == [0x80, 0x01, 0x01, 0x12, 0x04, 0x63, 0x72, 0x69, 0x75, 0x1a, 0x02, 0x08, 0x05])
        let fields = try ProtocolBufferFields(writer.bytes)
        #expect(fields.bool(16) == true)
        #expect(fields.string(2) == "criu")
        #expect(try fields.message(3)?.number(1) == 5)
        #expect(fields.number(4) == nil)
        #expect(fields.string(16) == nil)
    }

    @Test("fields of types that are not asked for are passed over")
    func otherTypes() throws {
        // Field 1 of 64 bits, field 2 of 32 bits, field 3 a number.
        let bytes: [UInt8] = [0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 0, 0, 0, 0x18, 7]
        #expect(try ProtocolBufferFields(bytes).number(3) == 7)
    }

    @Test(
        "what is no message is refused",
        arguments: [
            [0x08], [0x08, 0x80], [0x12, 0x05, 0x61], [0x0b], [0x09, 1, 2], [0x00, 0x01],
            [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] as [[UInt8]])
    func malformed(_ bytes: [UInt8]) {
        #expect(throws: ProtocolBufferFields.Malformed.self) { try ProtocolBufferFields(bytes) }
    }

    @Test("a request for the version is two bytes")
    func versionRequest() {
        #expect(CRIURequest(.version).bytes == [0x08, 0x0a])
        #expect(CRIURequest(.notify, notificationSucceeded: true).bytes == [0x08, 0x06, 0x18, 0x01])
        #expect(
            CRIURequest(.featureCheck, features: CRIUFeatures(tracksMemory: true)).bytes
                == [0x08, 0x09, 0x2a, 0x02, 0x08, 0x01])
    }

    @Test("a request to dump says where, which process, and what is outside")
    func dumpRequest() throws {
        var options = CRIUOptions(
            imageDirectory: 7, root: "/b/rootfs", logFile: "dump.log", cgroupMode: .ignore, emptyNamespaces: .network)
        options.pid = 1234
        options.externalMounts = [("/data", "/data")]
        options.external = ["net[42]:extRootNetNS"]
        options.leavesRunning = true
        let request = try ProtocolBufferFields(CRIURequest(.dump, options: options).bytes)
        #expect(request.number(1) == 1)
        let fields = try #require(try request.message(2))
        #expect(fields.int32(1) == 7)
        #expect(fields.int32(2) == 1234)
        #expect(fields.bool(3) == true)
        #expect(fields.string(10) == "dump.log")
        #expect(fields.string(13) == "/b/rootfs")
        #expect(try fields.message(23)?.string(1) == "/data")
        #expect(fields.number(34) == 0)
        #expect(fields.string(37) == "net[42]:extRootNetNS")
        #expect(fields.number(38) == 0x4000_0000)
        #expect(fields.bool(50) == true)
        #expect(fields.number(17) == nil)
    }

    @Test("an answer with a step, a version and features is read")
    func answers() throws {
        let step = try CRIUResponse([0x08, 0x06, 0x10, 0x01, 0x2a, 0x06, 0x0a, 0x02, 0x68, 0x69, 0x10, 0x07])
        #expect(step.kindName == "NOTIFY" && step.hasSucceeded)
        #expect(step.notification?.script == "hi")
        #expect(step.notification?.pid == 7)
        // 3.17.1
        let version = try CRIUResponse([0x08, 0x0a, 0x10, 0x01, 0x52, 0x06, 0x08, 0x03, 0x10, 0x11, 0x20, 0x01])
        #expect(version.version == 31701)
        // 3.17.1 with a commit: what comes after 3.17.
        let commit = try CRIUResponse([
            0x08, 0x0a, 0x10, 0x01, 0x52, 0x09, 0x08, 0x03, 0x10, 0x11, 0x1a, 0x01, 0x67, 0x20, 0x01,
        ])
        #expect(commit.version == 31800)
        let features = try CRIUResponse([0x08, 0x09, 0x10, 0x01, 0x42, 0x04, 0x08, 0x01, 0x10, 0x00])
        #expect(features.features == CRIUFeatures(tracksMemory: true))
        #expect(features.version == nil)
    }

    @Test("an answer without a type or without its outcome is refused")
    func incompleteAnswers() {
        #expect(throws: ProtocolBufferFields.Malformed.self) { try CRIUResponse([]) }
        #expect(throws: ProtocolBufferFields.Malformed.self) { try CRIUResponse([0x08, 0x01]) }
        #expect(throws: ProtocolBufferFields.Malformed.self) { try CRIUResponse([0x10, 0x01]) }
    }

    @Test("of a log the lines with errors are shown with what led there")
    func quotation() {
        let lines = (1...20).map { $0 == 8 || $0 == 10 || $0 == 20 ? "Error \($0)" : "line \($0)" }
        #expect(
            CRIULog.quotation(of: lines) == [
                "3:line 3", "4:line 4", "5:line 5", "6:line 6", "7:line 7", "8:Error 8", "9:line 9", "10:Error 10",
                "...", "15:line 15", "16:line 16", "17:line 17", "18:line 18", "19:line 19", "20:Error 20",
            ])
        #expect(CRIULog.quotation(of: ["all is well"]).isEmpty)
    }
}
