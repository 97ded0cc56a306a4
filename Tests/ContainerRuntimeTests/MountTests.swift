import Glibc
import JSON
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    @Suite("mounts")
    struct MountTests {
        private static let mapping = [LinuxIDMapping(containerID: 0, hostID: 100_000, size: 65536)]

        private func inUserNamespace(_ bundle: TestBundle) {
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .user))
            bundle.spec.linux?.uidMappings = Self.mapping
            bundle.spec.linux?.gidMappings = Self.mapping
            chmod(bundle.directory.string, 0o755)
        }

        @Test(
            "an id-mapped mount shows files of the host's root as those of the container's", arguments: [true, false])
        func idMapped(_ isImplied: Bool) throws {
            let bundle = try TestBundle("busybox stat -c %u:%g /mapped/file /plain/file")
            inUserNamespace(bundle)
            let source = bundle.directory.appending("source")
            try Files.makeDirectories(source)
            try Files.open(source.appending("file"), [.writeOnly, .create], mode: 0o644).discard()
            for name in ["mapped", "plain"] { try Files.makeDirectories(bundle.rootfs.appending(name)) }
            var mapped = Mount(
                destination: "mapped", source: "source", options: isImplied ? ["bind", "idmap"] : ["bind"])
            if !isImplied {
                mapped.uidMappings = Self.mapping
                mapped.gidMappings = Self.mapping
            }
            bundle.spec.mounts? += [mapped, Mount(destination: "/plain", source: "source", options: ["bind"])]
            let result = try bundle.run()
            #expect(result.lines == ["0:0", "65534:65534"], "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test("an id-mapped mount has both kinds of mappings, and is a bind mount")
        func idMappedRefused() throws {
            for (type, options) in [("bind", ["bind"]), ("tmpfs", ["idmap"])] {
                let bundle = try TestBundle()
                var mount = Mount(destination: "/tmp", type: type, source: "/tmp", options: options)
                mount.uidMappings = Self.mapping
                bundle.spec.mounts?.append(mount)
                let result = try bundle.run()
                #expect(result.code == 1 && result.errors.contains("id-mapped mounts"), "\(result)")
                #expect(bundle.leftovers() == [])
            }
        }

        @Test("a source that the user namespace's root cannot reach can be mounted")
        func unreachableSource() throws {
            let bundle = try TestBundle("ls /data")
            inUserNamespace(bundle)
            try Files.makeDirectories(bundle.directory.appending("secret/inside/file"))
            chmod(bundle.directory.appending("secret").string, 0o700)
            bundle.spec.mounts?.append(Mount(destination: "/data", source: "secret/inside", options: ["bind"]))
            #expect(try bundle.run().lines == ["file"])
        }

        @Test("a bind mount loses what its source has and no option names, once one is named")
        func attributes() throws {
            let outer = try TestBundle()
            let source = outer.directory.appending("source")
            try Files.makeDirectories(source)
            try Mounts.mount("tmpfs", on: source, type: "tmpfs")
            // What went wrong would have been seen; the directory is of no more use.
            defer { try? Mounts.unmount(source, lazily: true) }
            let handle = try Files.open(source, [.path, .directory])
            try Mounts.setAttributes(of: handle, set: [.readOnly, .noExecute])
            handle.discard()
            for (options, expected) in [(["bind"], "ro,noexec,relatime"), (["bind", "nodev"], "rw,nodev,relatime")] {
                let bundle = try TestBundle("grep ' /data ' /proc/mounts | busybox cut -d ' ' -f 4")
                bundle.spec.mounts?.append(Mount(destination: "/data", source: source.string, options: options))
                let result = try bundle.run()
                #expect(result.output.hasPrefix(expected), "\(result)")
            }
        }

        @Test("a read-only tmpfs has the mounts that are made in it, and a destination may begin with the root's path")
        func readOnlyTmpfs() throws {
            let bundle = try TestBundle("ls /tmp; touch /tmp/x || echo refused")
            bundle.spec.mounts? += [
                Mount(destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["ro"]),
                Mount(destination: bundle.rootfs.appending("tmp/inner").string, type: "tmpfs", source: "tmpfs"),
            ]
            #expect(try bundle.run().lines == ["inner", "refused"])
        }

        @Test("\"..\" in a destination takes back what is written before it, though there is no such directory")
        func parentInDestination() throws {
            let bundle = try TestBundle("busybox awk '{print $2}' /proc/mounts | grep ^/seen")
            for destination in [
                "/none/../seen/a", "/none/../../../seen/b/", "../seen/c/x/..", "\(bundle.rootfs)/none/../seen/d",
                "/tmp/.\(bundle.rootfs.string.dropFirst(4))/seen//e",
            ] {
                bundle.spec.mounts?.append(Mount(destination: destination, type: "tmpfs", source: "tmpfs"))
            }
            let result = try bundle.run()
            #expect(result.lines == ["/seen/a", "/seen/b", "/seen/c", "/seen/d", "/seen/e"], "\(result)")
            #expect(bundle.leftovers() == [])
        }

        @Test(
            "nothing is mounted on the container's root, however it is called",
            arguments: ["/", "", "/none/..", "/proc/..", "/data/link", "/data/link/none/../"])
        func onRoot(_ destination: String) throws {
            let bundle = try TestBundle()
            try Files.open(bundle.rootfs.appending("data"), [.path, .directory]).makeSymlink("link", to: "../..")
            for (type, source, options) in [("tmpfs", "tmpfs", []), ("bind", "/tmp", ["bind"])] {
                var mounts = bundle.spec.mounts ?? []
                mounts.append(Mount(destination: destination, type: type, source: source, options: options))
                let own = bundle.spec.mounts
                bundle.spec.mounts = mounts
                let result = try bundle.run()
                bundle.spec.mounts = own
                #expect(result.code == 1 && result.errors.contains("is on the top of rootfs"), "\(result)")
                #expect(bundle.leftovers() == [])
            }
        }

        @Test(
            "a bound /dev stays as it is on the host, however it is called",
            arguments: ["/dev", "/dev/", "//dev", "/./dev/."])
        func boundDevices(_ destination: String) throws {
            let bundle = try TestBundle("ls /dev")
            try Files.makeDirectories(bundle.directory.appending("devices"))
            bundle.spec.mounts = [
                Mount(destination: "/proc", type: "proc", source: "proc"),
                Mount(destination: destination, source: "devices", options: ["rbind"]),
            ]
            let result = try bundle.run()
            #expect(result.code == 0, "\(result)")
            #expect(try Files.names(in: bundle.directory.appending("devices")) == [])
        }

        @Test("a text with a null byte in it is refused")
        func nullByte() throws {
            let bundle = try TestBundle()
            bundle.spec.mounts?.append(Mount(destination: "/data\0/x", type: "tmpfs", source: "tmpfs"))
            let result = try bundle.run()
            #expect(result.code == 1 && result.errors.contains("mount field contains null byte"), "\(result)")
        }

        @Test("a user namespace can be joined by its path")
        func joinedUserNamespace() throws {
            let first = try TestBundle("exec sleep 60")
            inUserNamespace(first)
            #expect(try first.start().code == 0)
            let pid = try #require(try JSON.parse(first.runtime("state", first.id).output)["pid"]?.int)
            let second = try TestBundle("busybox readlink /proc/self/ns/user; cat /proc/self/uid_map")
            chmod(second.directory.string, 0o755)
            second.spec.linux?.namespaces?.append(LinuxNamespace(type: .user, path: "/proc/\(pid)/ns/user"))
            let result = try second.run()
            let namespace = try FileDescriptor.workingDirectory.readSymlink("/proc/\(pid)/ns/user")
            #expect(result.lines.first == namespace && result.output.contains("100000"), "\(result)")
            #expect(second.leftovers() == [])
        }
    }
}
