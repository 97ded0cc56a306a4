import OCISpec
import Testing

struct ImageReferenceTests {
    private static let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)

    struct Good: Sendable, CustomTestStringConvertible {
        let text: String
        let full: String
        let familiar: String
        var testDescription: String { text }
    }

    @Test(
        "a reference is normalised as Docker does, and shown as people write it",
        arguments: [
            Good(text: "debian", full: "docker.io/library/debian", familiar: "debian"),
            Good(text: "debian:12", full: "docker.io/library/debian:12", familiar: "debian:12"),
            Good(text: "library/debian", full: "docker.io/library/debian", familiar: "debian"),
            Good(text: "docker.io/debian", full: "docker.io/library/debian", familiar: "debian"),
            Good(text: "index.docker.io/debian", full: "docker.io/library/debian", familiar: "debian"),
            Good(text: "me/app:v1.2_3-x", full: "docker.io/me/app:v1.2_3-x", familiar: "me/app:v1.2_3-x"),
            Good(text: "docker.io/library/a/b", full: "docker.io/library/a/b", familiar: "library/a/b"),
            Good(text: "localhost/app", full: "localhost/app", familiar: "localhost/app"),
            Good(text: "localhost:5000/app", full: "localhost:5000/app", familiar: "localhost:5000/app"),
            Good(text: "127.0.0.1:5000/a/b:t", full: "127.0.0.1:5000/a/b:t", familiar: "127.0.0.1:5000/a/b:t"),
            Good(text: "[::1]:5000/app", full: "[::1]:5000/app", familiar: "[::1]:5000/app"),
            Good(text: "Registry/app", full: "Registry/app", familiar: "Registry/app"),
            Good(text: "a__b/c---d.e", full: "docker.io/a__b/c---d.e", familiar: "a__b/c---d.e"),
            Good(text: "debian@" + digest, full: "docker.io/library/debian@" + digest, familiar: "debian@" + digest),
            Good(
                text: "quay.io/x/y:t@" + digest, full: "quay.io/x/y:t@" + digest, familiar: "quay.io/x/y:t@" + digest),
        ])
    func good(example: Good) throws {
        let reference = try ImageReference(parsing: example.text)
        #expect(reference.description == example.full)
        #expect(reference.familiar == example.familiar)
        #expect(try ImageReference(parsing: reference.description) == reference)
    }

    @Test(
        "what is no reference is refused",
        arguments: [
            "", ":tag", "@" + digest, "a b", "a//b", "/a", "a/", "-a", "a-", "a..b", "a___b", "a:", "a:-x", "a:x/y",
            "a:" + String(repeating: "x", count: 129), "debian@sha256:abc", "http://x/y", "x.y:port/z", "ä", "a:b:c",
            "x/" + String(repeating: "a", count: 260), "-x.y/z", "a/../b", "a@" + digest + "@" + digest,
        ])
    func refused(text: String) { #expect(throws: ImageReferenceError.self) { try ImageReference(parsing: text) } }

    @Test("upper case and ids are refused with the words of Docker")
    func texts() {
        #expect(throws: ImageReferenceError.upperCase("library/Debian")) { try ImageReference(parsing: "Debian") }
        let id = String(repeating: "a", count: 64)
        #expect(throws: ImageReferenceError.identifier(id)) { try ImageReference(parsing: id) }
        #expect(
            ImageReferenceError.upperCase("library/Debian").description
                == "invalid reference format: repository name (library/Debian) must be lowercase")
    }

    @Test("the tag latest is added only where there is neither tag nor digest")
    func defaultTag() throws {
        #expect(try ImageReference(parsing: "debian").withDefaultTag.familiar == "debian:latest")
        #expect(try ImageReference(parsing: "debian:12").withDefaultTag.familiar == "debian:12")
        #expect(try ImageReference(parsing: "debian@" + Self.digest).withDefaultTag.tag == nil)
    }
}
