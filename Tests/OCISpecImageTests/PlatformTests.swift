import OCISpec
import Testing

struct PlatformTests {
    @Test(
        "a platform is read with its other names",
        arguments: [
            ("linux/amd64", "linux/amd64"), ("linux/x86_64", "linux/amd64"), ("linux/aarch64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64/v8"), ("LINUX/ARMHF", "linux/arm/v7"), ("arm64", "linux/arm64"),
        ])
    func good(text: String, expected: String) throws {
        #expect(try Platform(parsing: text).description == expected)
    }

    @Test("what is no platform is refused", arguments: ["", "/", "linux/", "a/b/c/d", "toaster", "linux/a b"])
    func refused(text: String) { #expect(throws: PlatformError.self) { try Platform(parsing: text) } }

    @Test("a variant that is not written means the usual one")
    func variants() throws {
        #expect(try Platform(parsing: "linux/arm64").satisfies(Platform(parsing: "linux/arm64/v8")))
        #expect(try !Platform(parsing: "linux/arm/v6").satisfies(Platform(parsing: "linux/arm")))
        #expect(try !Platform(parsing: "linux/amd64").satisfies(Platform(parsing: "windows/amd64")))
    }

    @Test("a word that is the name of no system and no processor is refused with the words of Docker")
    func unknown() {
        let error = #expect(throws: PlatformError.self) { try Platform(parsing: "foobar") }
        #expect(error?.description == "\"foobar\": unknown operating system or architecture: invalid argument")
    }
}
