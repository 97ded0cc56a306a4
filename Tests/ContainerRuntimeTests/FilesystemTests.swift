import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    @Suite("file system")
    struct Filesystem {
        @Test("a read-only root cannot be written, a bind mount and a tmpfs in it can")
        func readOnlyRoot() throws {
            let bundle = try TestBundle(
                "touch /x; touch /bound/y; touch /tmp/z && ls /tmp; touch /fixed/w; mount | grep -c ' /bound '")
            bundle.spec.root?.readonly = true
            for name in ["bound", "fixed"] { try Files.makeDirectories(bundle.directory.appending(name)) }
            bundle.spec.mounts? += [
                Mount(destination: "/bound", source: "bound", options: ["rbind", "nosuid"]),
                Mount(
                    destination: "/fixed", source: bundle.directory.appending("fixed").string, options: ["bind", "ro"]),
                Mount(destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1m"]),
            ]
            let result = try bundle.run()
            #expect(result.lines == ["z", "1"], "\(result)")
            #expect(
                result.errors.contains("/x: Read-only") && result.errors.contains("/fixed/w: Read-only"), "\(result)")
            #expect(Files.exists(bundle.directory.appending("bound/y")))
        }

        @Test("rro makes everything below read-only, ro only the mount itself")
        func recursiveReadOnly() throws {
            let outer = try TestBundle("true")
            let source = outer.directory.appending("source")
            try Files.makeDirectories(source.appending("inner"))
            try Mounts.mount("tmpfs", on: source.appending("inner"), type: "tmpfs")
            defer { try? Mounts.unmount(source.appending("inner"), lazily: true) }
            for (option, isWritable) in [("ro", true), ("rro", false)] {
                let bundle = try TestBundle(
                    "touch /m/x 2>/dev/null || echo outer; touch /m/inner/x 2>/dev/null || echo inner")
                bundle.spec.mounts? += [Mount(destination: "/m", source: source.string, options: ["rbind", option])]
                let result = try bundle.run()
                #expect(result.lines == (isWritable ? ["outer"] : ["outer", "inner"]), "\(option): \(result)")
            }
        }

        @Test("a tmpfs has the same mode at every start: its own, what it hides has, or writable to all")
        func tmpfsModes() throws {
            let bundle = try TestBundle(
                "for d in /new /deep/er /chosen /private /group; do ls -ld $d; done | while read mode rest; do echo "
                    + "$mode; done"
            )
            for (name, mode) in [("private", 0o700), ("group", 0o2775)] as [(String, mode_t)] {
                try Files.makeDirectories(bundle.rootfs.appending(name))
                chmod(bundle.rootfs.appending(name).string, mode)
            }
            for name in ["new", "deep/er", "private", "group"] {
                bundle.spec.mounts?.append(Mount(destination: "/\(name)", type: "tmpfs", source: "tmpfs"))
            }
            bundle.spec.mounts?.append(
                Mount(destination: "/chosen", type: "tmpfs", source: "tmpfs", options: ["mode=0750"]))
            let expected = ["drwxrwxrwt", "drwxrwxrwt", "drwxr-x---", "drwx------", "drwxrwsr-x"]
            for start in 1...3 {
                let result = try bundle.run()
                #expect(result.lines == expected, "start \(start): \(result)")
            }
        }

        @Test("tmpcopyup keeps what the tmpfs hides, with owners and modes; a tmpfs has the mode of what it hides")
        func copyUp() throws {
            let bundle = try TestBundle(
                "cat /data/file /data/sub/link; ls -ldn /data/file /data | cut -c1-30; echo new > /data/file")
            try bundle.write("#!/bin/busybox sh\nexec busybox cut \"$@\"", to: "bin/cut", mode: 0o755)
            try bundle.write("old\n", to: "data/file", mode: 0o640)
            try Files.makeDirectories(bundle.rootfs.appending("data/sub"))
            symlink("../file", bundle.rootfs.appending("data/sub/link").string)
            chown(bundle.rootfs.appending("data/file").string, 12, 34)
            chmod(bundle.rootfs.appending("data").string, 0o1770)
            bundle.spec.mounts? += [Mount(destination: "/data", type: "tmpfs", options: ["tmpcopyup"])]
            let result = try bundle.run()
            #expect(result.lines.prefix(2) == ["old", "old"], "\(result)")
            #expect(result.output.contains("-rw-r-----") && result.output.contains("12"), "\(result)")
            #expect(result.output.contains("drwxrwx--T"), "\(result)")
            #expect(try Files.readText(bundle.rootfs.appending("data/file")) == "old", "the image's file is untouched")
        }

        @Test("masked files are empty, masked directories too, and read-only paths cannot be written")
        func masked() throws {
            let bundle = try TestBundle(
                "cat /etc/secret; ls /data; ls /tmp; touch /tmp/x || echo refused; cat /proc/timer_list")
            try bundle.write("secret", to: "etc/secret")
            try bundle.write("", to: "data/hidden")
            bundle.spec.linux?.maskedPaths = ["/etc/secret", "/data", "/proc/timer_list", "/not/there"]
            bundle.spec.linux?.readonlyPaths = ["/tmp", "/not/there"]
            let result = try bundle.run()
            #expect(result.output == "refused\n", "\(result)")
        }

        @Test("devices of the configuration exist with their owner and mode; others cannot be used")
        func devices() throws {
            let bundle = try TestBundle(
                "ls -ln /dev/fuse-like; echo x > /dev/null && echo null; dd if=/dev/forbidden count=0 2>&1 | grep -c "
                    + "'not permitted'"
            )
            var allowed = LinuxDevice(path: "/dev/fuse-like", type: "c", major: 10, minor: 229)
            allowed.fileMode = 0o640
            allowed.uid = 3
            allowed.gid = 4
            bundle.spec.linux?.devices = [allowed, LinuxDevice(path: "/dev/forbidden", type: "c", major: 1, minor: 1)]
            bundle.spec.linux?.resources = LinuxResources()
            bundle.spec.linux?.resources?.devices = [LinuxDeviceCgroup(allow: false, access: "rwm")]
            let result = try bundle.run()
            #expect(result.lines.count == 3, "\(result)")
            #expect(
                result.lines.first?.hasPrefix("crw-r-----") == true && result.lines.first?.contains("10, 229") == true)
            #expect(result.lines.dropFirst() == ["null", "1"])
        }

        @Test("the container sees its own control group, and kernel parameters of its namespaces can be set")
        func cgroupAndSysctl() throws {
            let bundle = try TestBundle(
                "ls /sys/fs/cgroup | grep -c .; touch /sys/fs/cgroup/x; cat /proc/sys/net/ipv4/ip_forward")
            bundle.spec.mounts? += [
                Mount(
                    destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                    options: ["ro", "nosuid", "noexec", "nodev"])
            ]
            bundle.spec.linux?.sysctl = ["net.ipv4.ip_forward": "1"]
            let result = try bundle.run()
            #expect(result.lines.count == 2 && result.lines[0] != "0" && result.lines[1] == "1", "\(result)")
            #expect(result.errors.contains("Read-only"), "\(result)")
            bundle.spec.linux?.sysctl = ["kernel.panic": "1"]
            let refused = try bundle.run()
            #expect(refused.code == 1 && refused.errors.contains("not in a separate kernel namespace"), "\(refused)")
        }
    }
}
