import Engine
import OCISpec
import Testing

@Suite("images for other machines")
struct HostPlatformTests {
    private static let host = Platform(os: "linux", architecture: "amd64", variant: "v3")

    @Test(
        "what a processor runs",
        arguments: [
            ("linux/amd64", true), ("linux/amd64/v2", true), ("linux/amd64/v3", true), ("linux/amd64/v4", false),
            ("linux/386", true), ("linux/arm64", false), ("windows/amd64", false), ("linux/arm/v7", false),
        ])
    func runs(_ text: String, _ runs: Bool) throws {
        #expect(HostPlatform.runs(try Platform(parsing: text), on: Self.host) == runs)
    }

    @Test("64-bit ARM runs programs for 32 bits, and 32-bit ARM of whatever variant")
    func arm() throws {
        let (arm64, arm) = (try Platform(parsing: "linux/arm64"), try Platform(parsing: "linux/arm/v7"))
        #expect(HostPlatform.runs(arm, on: arm64) && HostPlatform.runs(arm64, on: arm64))
        #expect(HostPlatform.runs(try Platform(parsing: "linux/arm/v6"), on: arm))
        #expect(!HostPlatform.runs(arm64, on: arm) && !HostPlatform.runs(Self.host, on: arm64))
    }

    @Test("the warning has the words of Docker, and this machine's own images have none")
    func warning() throws {
        #expect(HostPlatform.warning(about: .host) == nil)
        let other = Platform(os: "linux", architecture: "s390x")
        #expect(
            HostPlatform.warning(about: other)
                == "The requested image's platform (linux/s390x) does not match the detected host platform "
                + "(\(HostPlatform.detected)) and no specific platform was requested")
    }

    @Test("the level of a processor is the highest whose features it has all")
    func levels() {
        let second: Set<Substring> = ["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"]
        let third: Set<Substring> = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]
        #expect(HostPlatform.level(flags: []) == 1)
        #expect(HostPlatform.level(flags: second) == 2)
        #expect(HostPlatform.level(flags: third) == 1, "features of a level below are missing")
        #expect(HostPlatform.level(flags: second.union(third)) == 3)
    }
}
