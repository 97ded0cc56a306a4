import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    private static let parser = FilePath("/sbin/apparmor_parser")

    @Suite(
        "AppArmor",
        .enabled(
            if: geteuid() == 0 && Files.exists("/sys/kernel/security/apparmor/.replace") && Files.exists(parser),
            "needs root, a kernel with AppArmor, securityfs and apparmor_parser"))
    struct AppArmor {
        /// A profile of the kernel's, under a name of this process's own; gone in the end.
        private final class Profile {
            let name: String
            private let file: FilePath

            /// - Parameter rules: What the profile has beside a container's necessities.
            init(_ purpose: String, _ rules: String = "") throws {
                name = "masu-test-\(getpid())-\(purpose)"
                file = FilePath("/tmp/\(name)")
                let necessary = "file, capability, network, mount, umount, signal, ptrace, unix,"
                let text = "profile \(name) flags=(attach_disconnected,mediate_deleted) { \(necessary) \(rules) }\n"
                try Files.replace(file, with: Array(text.utf8))
                let result = try Self.parse("--replace", file)
                try #require(result.code == 0, "\(result)")
            }

            deinit {
                // The kernel forgets it with the machine, if not before.
                _ = try? Self.parse("--remove", file)
                try? Files.remove(file)  // As above.
            }

            private static func parse(_ action: String, _ file: FilePath) throws -> RuntimeProgram.Result {
                try RuntimeProgram.run(parser.string, [action, "--skip-cache", file.string], in: "/")
            }
        }

        @Test("a profile confines the container's process, and what is executed in it")
        func confined() throws {
            let profile = try Profile("first", "deny /data/forbidden w,")
            let other = try Profile("second")
            let script = "cat /proc/self/attr/current; touch /data/allowed; touch /data/forbidden; ls /data"
            let bundle = try TestBundle(script)
            bundle.spec.process?.apparmorProfile = profile.name
            let result = try bundle.run()
            #expect(result.lines == ["\(profile.name) (enforce)", "allowed"], "\(result)")
            #expect(result.errors.contains("/data/forbidden: Permission denied"), "\(result)")

            bundle.spec.process?.args = ["sleep", "1000"]
            #expect(try bundle.start().code == 0)
            let own = try bundle.runtime(
                "exec", bundle.id, "sh", "-c", "cat /proc/self/attr/current; touch /data/forbidden")
            #expect(own.code == 1 && own.lines == ["\(profile.name) (enforce)"], "\(own)")
            let chosen = try bundle.runtime(
                "exec", "--apparmor", other.name, bundle.id, "cat", "/proc/self/attr/current")
            #expect(chosen.lines == ["\(other.name) (enforce)"], "\(chosen)")
            #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
            #expect(bundle.leftovers() == [])
        }

        @Test("without a profile nothing confines it, and one that the kernel does not have is an error")
        func others() throws {
            let bundle = try TestBundle("cat /proc/self/attr/current")
            for name in [nil, "", "unconfined"] {
                bundle.spec.process?.apparmorProfile = name
                #expect(try bundle.run().lines == ["unconfined"])
            }
            bundle.spec.process?.apparmorProfile = "masu-test-none"
            let result = try bundle.run()
            #expect(
                result.code == 1 && result.errors.contains("apparmor failed to apply profile: masu-test-none"),
                "\(result)")
            #expect(bundle.leftovers() == [])
        }
    }
}
