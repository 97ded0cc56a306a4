import Foundation
import Testing

extension Integration {
    /// What the flags of `run` do to a container, seen from inside and in the kernel's files. No peer is needed.
    @Suite("options")
    struct Options {
        /// Runs `sh -c script` with flags; what it printed.
        func inside(
            _ daemon: TestDaemon, _ flags: [String], _ script: String, image: String = "busybox",
            at location: SourceLocation = #_sourceLocation
        ) throws -> String {
            let result = try daemon.command(.masu, ["run", "--rm"] + flags + [image, "sh", "-c", script]).runToEnd()
            #expect(result.code == 0, "\(result)", sourceLocation: location)
            return result.line
        }

        /// The value of a controller's file for a process: v1's name, v2's name.
        private func cgroupValue(_ pid: String, _ controller: String, _ v1: String, _ v2: String) -> String? {
            let text = (try? String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8)) ?? ""
            for line in text.split(separator: "\n") {
                let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
                guard fields.count == 3 else { continue }
                let path: String
                if fields[1].split(separator: ",").contains(Substring(controller)) {
                    path = "/sys/fs/cgroup/\(controller)\(fields[2])/\(v1)"
                } else if fields[1].isEmpty {
                    path = "/sys/fs/cgroup\(fields[2])/\(v2)"
                } else {
                    continue
                }
                if let value = try? String(contentsOfFile: path, encoding: .utf8) {
                    return value.trimmingCharacters(in: .whitespacesAndNewlines)
                }
            }
            return nil
        }

        @Test("a process that outgrows -m is killed, and inspect says why")
        func memoryLimit() throws {
            try withDaemon { daemon in
                let result = try daemon.run(
                    .masu, "run", "--name", "hungry", "-m", "16m", "busybox", "tail", "/dev/zero")
                #expect(result.code == 137, "\(result)")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.OOMKilled}}", "hungry") == "true")
                try daemon.ok(.masu, "run", "--name", "modest", "-m", "16m", "busybox", "true")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.OOMKilled}}", "modest") == "false")
            }
        }

        @Test("memory, CPU and pids limits are in the kernel's files")
        func limits() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "limited", "-m", "64m", "--memory-reservation", "32m", "--cpus",
                    "0.5", "-c", "512",
                    "--cpuset-cpus", "0", "--pids-limit", "42", "busybox", "sleep", "100")
                let pid = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", "limited")
                #expect(cgroupValue(pid, "memory", "memory.limit_in_bytes", "memory.max") == "67108864")
                #expect(cgroupValue(pid, "memory", "memory.soft_limit_in_bytes", "memory.low") == "33554432")
                let quota = cgroupValue(pid, "cpu", "cpu.cfs_quota_us", "cpu.max")
                #expect(quota == "50000" || quota == "50000 100000")
                let shares = cgroupValue(pid, "cpu", "cpu.shares", "cpu.weight")
                #expect(shares == "512" || shares == "20" || shares == "59", "\(shares ?? "nothing")")
                #expect(cgroupValue(pid, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0")
                #expect(cgroupValue(pid, "pids", "pids.max", "pids.max") == "42")
            }
        }

        @Test("--pids-limit stops a fork bomb, the container answers on")
        func pidsLimit() throws {
            try withDaemon { daemon in
                let result = try daemon.run(
                    .masu, "run", "--rm", "--pids-limit", "20", "busybox", "sh", "-c",
                    "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i + 1)); done 2>&1; ls -d /proc/[0-9]* | wc -l")
                #expect(result.output.contains("can't fork") || result.errors.contains("can't fork"), "\(result)")
            }
        }

        @Test("default capabilities, added, dropped, none, all")
        func capabilities() throws {
            try withDaemon { daemon in
                let show = "awk '/^CapEff/ {print $2}' /proc/self/status"
                #expect(try inside(daemon, [], show) == "00000000a80425fb")
                #expect(try inside(daemon, ["--cap-drop", "ALL"], show) == "0000000000000000")
                #expect(
                    try inside(daemon, ["--cap-drop", "all", "--cap-add", "NET_BIND_SERVICE"], show)
                        == "0000000000000400")
                #expect(try inside(daemon, ["--cap-add", "CAP_SYS_TIME"], show) == "00000000aa0425fb")
                #expect(try inside(daemon, ["-u", "guest"], show) == "0000000000000000")
                let all = try inside(daemon, ["--privileged"], show)
                #expect(all.contains("ffffff"), "\(all)")
                #expect(try daemon.run(.masu, "run", "--rm", "--cap-add", "NO_SUCH", "busybox", "true").code == 125)
            }
        }

        @Test("--read-only and what stays writable")
        func readOnly() throws {
            try withDaemon { daemon in
                let output = try inside(
                    daemon, ["--read-only", "--tmpfs", "/tmp:size=1m,mode=1777"],
                    "touch /x 2>/dev/null || echo no; touch /tmp/x && echo yes; touch /dev/shm/x && echo shm; grep ' "
                        + "/tmp ' /proc/mounts"
                )
                #expect(output.hasPrefix("no\nyes\nshm\ntmpfs /tmp tmpfs "), "\(output)")
                #expect(
                    output.contains("size=1024k") && output.contains("nosuid") && output.contains("noexec"), "\(output)"
                )
                // A place that is not in the image is for everybody, as a new tmpfs is; one that is keeps its mode.
                #expect(
                    try inside(
                        daemon, ["--tmpfs", "/new", "--tmpfs", "/root", "-u", "1000"],
                        "touch /new/x && echo new; touch /root/x 2>/dev/null || echo refused") == "new\nrefused")
            }
        }

        @Test("a shared bind mount shares with the host, a private one cannot be shared")
        func sharedBindMounts() throws {
            try withDaemon { daemon in
                let host = daemon.root + "/host"
                mkdir(host, 0o755)
                try #require(mount("none", host, "tmpfs", 0, nil) == 0)
                defer { umount2(host, Int32(MNT_DETACH)) }
                for (kind, what) in [("rshared", "shared"), ("rslave", "shared or slave")] {
                    try #require(mount(nil, host, nil, UInt(MS_PRIVATE), nil) == 0)
                    let refused = try daemon.run(.masu, "run", "--rm", "-v", "\(host):/data:\(kind)", "busybox", "true")
                    #expect(refused.code == 125)
                    #expect(
                        refused.errors.contains("path \(host) is mounted on \(host) but it is not a \(what) mount"),
                        "\(refused)")
                }
                try #require(mount(nil, host, nil, UInt(MS_SHARED), nil) == 0)
                _ = try inside(
                    daemon, ["--privileged", "-v", "\(host):/data:rshared"],
                    "mkdir /data/in; mount -t tmpfs in /data/in")
                #expect(try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8).contains(host + "/in"))
                umount2(host + "/in", Int32(MNT_DETACH))
                let slave = try inside(
                    daemon, ["-v", "\(host):/data:rslave"], "grep ' /data ' /proc/self/mountinfo")
                #expect(slave.contains(" master:") && !slave.contains(" shared:"), "\(slave)")
            }
        }

        @Test("bind mounts: read-write, read-only, a file, --mount syntax")
        func bindMounts() throws {
            try withDaemon { daemon in
                let host = daemon.root + "/host"
                mkdir(host, 0o755)
                try "from the host\n".write(toFile: host + "/file", atomically: false, encoding: .utf8)
                #expect(
                    try inside(daemon, ["-v", "\(host):/data"], "cat /data/file; echo back >/data/new")
                        == "from the host")
                #expect(try String(contentsOfFile: host + "/new", encoding: .utf8) == "back\n")
                #expect(
                    try inside(daemon, ["-v", "\(host):/data:ro"], "touch /data/x 2>/dev/null || echo refused")
                        == "refused")
                #expect(
                    try inside(
                        daemon, ["--mount", "type=bind,source=\(host)/file,target=/etc/one,readonly"],
                        "cat /etc/one; echo x 2>/dev/null >/etc/one || echo refused")
                        == "from the host\nrefused")
                #expect(
                    try inside(
                        daemon, ["--mount", "type=tmpfs,target=/scratch,tmpfs-size=2m"],
                        "grep -c ' /scratch tmpfs .*size=2048k' /proc/mounts") == "1")
            }
        }

        @Test("environment: -e, from our own, --env-file; the defaults are there")
        func environment() throws {
            try withDaemon { daemon in
                let file = daemon.root + "/env"
                try "# comment\nFROM_FILE=1\n\nSPACED=a b\n".write(toFile: file, atomically: false, encoding: .utf8)
                var command = daemon.command(
                    .masu,
                    [
                        "run", "--rm", "--env-file", file, "-e", "GIVEN=x=y", "-e", "INHERITED", "-e", "ABSENT",
                        "--hostname", "box",
                        "busybox", "sh", "-c",
                        "echo $FROM_FILE/$SPACED/$GIVEN/$INHERITED/${ABSENT-none}/$HOSTNAME/$HOME/$PATH",
                    ])
                command.environment["INHERITED"] = "ours"
                let result = try command.runToEnd()
                #expect(
                    result.line
                        == "1/a b/x=y/ours/none/box/root//usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                        || result.line
                            == "1/a b/x=y/ours/none/box//root//usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "\(result)")
            }
        }

        @Test("-u takes names, numbers and groups from the image; -w makes the directory")
        func user() throws {
            try withDaemon { (daemon: TestDaemon) throws in
                let show = "echo $(id -u) $(id -g) $(id -G) $HOME"
                #expect(try inside(daemon, ["-u", "guest"], show) == "1000 1000 1000 29 /home/guest")
                #expect(try inside(daemon, ["-u", "guest:audio"], show).hasPrefix("1000 29 29"))
                #expect(try inside(daemon, ["-u", "4242:4343"], show).hasPrefix("4242 4343 4343"))
                #expect(try inside(daemon, ["-w", "/not/there/yet"], "pwd") == "/not/there/yet")
            }
        }

        @Test("host name, hosts file, resolv.conf")
        func hostname() throws {
            try withDaemon { (daemon: TestDaemon) throws in
                #expect(
                    try inside(
                        daemon, ["--hostname", "box"], "hostname; cat /etc/hostname; grep -c localhost /etc/hosts"
                    )
                    .hasPrefix("box\nbox\n"))
                let identity = try daemon.ok(.masu, "run", "-d", "--name", "named", "busybox", "sleep", "100")
                #expect(try daemon.ok(.masu, "exec", "named", "hostname") == String(identity.prefix(12)))
            }
        }

        @Test("--init is pid 1, reaps orphans and forwards signals")
        func initProcess() throws {
            try withDaemon { daemon in
                let output = try inside(
                    daemon, ["--init"],
                    """
                    cat /proc/1/comm
                    (sh -c '(sleep 0.1; echo >/orphan-ended) & exit' &)
                    until [ -e /orphan-ended ]; do sleep 0.01; done
                    while grep -q '^State:.Z' /proc/[0-9]*/status; do sleep 0.01; done
                    echo reaped
                    """
                )
                #expect(output.contains("init") && output.hasSuffix("\nreaped"), "\(output)")
                try daemon.ok(
                    .masu, "run", "-d", "--init", "--name", "forward", "busybox", "sh", "-c",
                    "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done")
                #expect(try eventually { try daemon.run(.masu, "logs", "forward").output.contains("ready") })
                try daemon.ok(.masu, "stop", "forward")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.ExitCode}}", "forward") == "6")
            }
        }

        @Test("--ulimit, --sysctl, --shm-size, --oom-score-adj")
        func processLimits() throws {
            try withDaemon { (daemon: TestDaemon) throws in
                #expect(try inside(daemon, ["--ulimit", "nofile=123:456"], "ulimit -Sn; ulimit -Hn") == "123\n456")
                #expect(
                    try inside(daemon, ["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward")
                        == "1")
                #expect(
                    try inside(daemon, ["--shm-size", "3m"], "grep -c ' /dev/shm .*size=3072k' /proc/mounts") == "1")
                #expect(try inside(daemon, ["--oom-score-adj", "321"], "cat /proc/self/oom_score_adj") == "321")
            }
        }

        @Test("no-new-privileges, seccomp, masked and read-only paths")
        func security() throws {
            try withDaemon { (daemon: TestDaemon) throws in
                let show = "awk '/^NoNewPrivs|^Seccomp:/ {printf \"%s \", $2}' /proc/self/status"
                #expect(try inside(daemon, [], show) == "0 2 ")
                #expect(try inside(daemon, ["--security-opt", "no-new-privileges"], show) == "1 2 ")
                #expect(try inside(daemon, ["--security-opt", "seccomp=unconfined"], show) == "0 0 ")
                #expect(try inside(daemon, ["--privileged"], show) == "0 0 ")
                #expect(
                    try inside(
                        daemon, [],
                        "for f in kcore keys timer_list; do wc -c </proc/$f 2>/dev/null; done | grep -v ^0; echo end")
                        == "end",
                    "masked files read as empty, where the kernel has them at all")
                #expect(try inside(daemon, [], "ls /proc/acpi /proc/scsi 2>/dev/null | grep -v :; echo end") == "end")
                #expect(
                    try inside(daemon, [], "echo 1 2>/dev/null >/proc/sys/vm/swappiness || echo refused") == "refused")
                #expect(try inside(daemon, [], "mount -t tmpfs none /mnt 2>/dev/null || echo refused") == "refused")
                #expect(
                    try inside(daemon, [], "unshare -U true 2>/dev/null || echo refused") == "refused",
                    "a system call out of the list")
            }
        }

        @Test("devices: the default set, --device, none of the host's")
        func devices() throws {
            try withDaemon { daemon in
                let names = try inside(daemon, [], "ls /dev").split(separator: "\n").map(String.init)
                #expect(
                    Set(names)
                        == [
                            "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
                            "stdout", "tty",
                            "urandom", "zero",
                        ]
                        || Set(names).isSuperset(of: [
                            "null", "zero", "full", "random", "urandom", "tty", "ptmx", "shm",
                        ]) && names.count < 18)
                #expect(
                    try inside(daemon, ["--device", "/dev/null:/dev/other:rw"], "echo x >/dev/other && echo ok") == "ok"
                )
                #expect(
                    try inside(
                        daemon, ["--cap-add", "MKNOD"],
                        "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem 2>/dev/null || echo refused") == "refused",
                    "the device cgroup refuses what was not given")
            }
        }

        @Test("namespaces of the host or of another container on demand")
        func namespaces() throws {
            try withDaemon { daemon in
                for (flag, name) in [
                    ("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--network", "net"),
                    ("--cgroupns", "cgroup"),
                ] {
                    let ours = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/\(name)")
                    let shared = try inside(daemon, [flag, "host"], "readlink /proc/self/ns/\(name)")
                    #expect(shared == ours, "\(flag) host")
                    let flags =
                        ["--network": ["--network", "none"], "--cgroupns": ["--cgroupns", "private"]][flag] ?? []
                    let own = try inside(daemon, flags, "readlink /proc/self/ns/\(name)")
                    #expect(own != ours, "\(name) of its own")
                }
                try daemon.ok(.masu, "run", "-d", "--name", "first", "--ipc", "shareable", "busybox", "sleep", "100")
                #expect(try inside(daemon, ["--pid", "container:first"], "cat /proc/1/comm") == "sleep")
                let shared = try daemon.ok(.masu, "exec", "first", "readlink", "/proc/self/ns/ipc")
                #expect(try inside(daemon, ["--ipc", "container:first"], "readlink /proc/self/ns/ipc") == shared)
            }
        }

        @Test("the network: none has loopback up, the default an interface as well, host has the host's")
        func network() throws {
            try withDaemon { (daemon: TestDaemon) throws in
                let show = "ls /sys/class/net | tr '\\n' ' '; ip -o addr show lo | grep -c 127.0.0.1"
                #expect(try inside(daemon, ["--network", "none"], show) == "lo 1")
                #expect(try inside(daemon, [], show) == "eth0 lo 1")
                // Not by /sys, which shows the network in which it was mounted.
                func host() throws -> Int { try Command("/bin/busybox", "ip", "-o", "link").runToEnd().lines.count }
                // The interfaces of the containers before go when the kernel comes to it.
                #expect(
                    try eventually {
                        let before = try host()
                        return try inside(daemon, ["--net", "host"], "ip -o link | wc -l") == "\(before)"
                    })
            }
        }

        @Test("--restart on-failure counts, stops at its maximum, and leaves success alone")
        func restartPolicy() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "failing", "--restart", "on-failure:2", "busybox", "sh", "-c",
                    "echo again; exit 3")
                let settled = try eventually {
                    try daemon.ok(
                        .masu, "inspect", "-f", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "failing")
                        == "2 exited 3"
                }
                let state = try daemon.ok(.masu, "inspect", "-f", "{{.RestartCount}} {{json .State}}", "failing")
                #expect(settled, "\(state)")
                #expect(try daemon.run(.masu, "logs", "failing").output == "again\nagain\nagain\n")
                try daemon.ok(.masu, "run", "-d", "--name", "fine", "--restart", "on-failure", "busybox", "true")
                #expect(try daemon.ok(.masu, "wait", "fine") == "0")
                // By the time a second container has been started and has ended, the first would have been started
                // again.
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                #expect(
                    try daemon.ok(.masu, "inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "fine") == "0 exited")
            }
        }

        @Test("--restart always comes back after a crash of the process, not after stop")
        func restartAlways() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "-d", "--name", "stubborn", "--restart", "always", "busybox", "sleep", "100")
                let first = try daemon.ok(.masu, "inspect", "-f", "{{.State.Pid}}", "stubborn")
                kill(pid_t(first) ?? 0, SIGKILL)
                let back = try eventually {
                    let state = try daemon.ok(.masu, "inspect", "-f", "{{.State.Running}} {{.State.Pid}}", "stubborn")
                    return state.hasPrefix("true") && state != "true " + first
                }
                #expect(back)
                try daemon.ok(.masu, "stop", "-t", "0", "stubborn")
                // By the time another container has been started and has ended, this one would have been started again.
                try daemon.ok(.masu, "run", "--rm", "busybox", "true")
                #expect(try daemon.ok(.masu, "inspect", "-f", "{{.State.Status}}", "stubborn") == "exited")
            }
        }

        @Test("a tmpfs has the same mode at every start", arguments: Client.available)
        func tmpfsModes(_ client: Client) throws {
            try withDaemon { daemon in
                try daemon.ok(
                    client, "create", "--name", "twice", "--tmpfs", "/new", "--mount", "type=tmpfs,dst=/n/e/w",
                    "--tmpfs", "/own:mode=0750", "busybox", "stat", "-c", "%n %a", "/new", "/n/e/w", "/own")
                for _ in 1...3 {
                    #expect(
                        try daemon.run(client, "start", "-a", "twice").lines == [
                            "/new 1777", "/n/e/w 1777", "/own 750",
                        ])
                }
            }
        }

        @Test("logs rotate, and reading them goes across the files")
        func logRotation() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "--name", "chatty", "--log-opt", "max-size=50k", "--log-opt", "max-file=3", "busybox",
                    "seq", "3000")
                let files = daemon.files(below: "data/containers").filter { $0.contains("-json.log") }
                #expect(files.count == 3, "\(files)")
                let numbers = try daemon.run(.masu, "logs", "chatty").lines.compactMap { Int($0) }
                #expect(numbers.count > 500 && numbers.last == 3000)
                #expect(numbers == Array((3001 - numbers.count)...3000), "what is kept is kept without a gap")
                #expect(
                    try daemon.run(.masu, "logs", "--tail", "1000", "chatty").lines.count == min(1000, numbers.count))
            }
        }

        @Test("a line longer than 16 KiB and a last line without an end come back as they were")
        func longLines() throws {
            try withDaemon { daemon in
                try daemon.ok(
                    .masu, "run", "--name", "long", "busybox", "sh", "-c",
                    "head -c 100000 /dev/zero | tr '\\0' y; echo; printf end")
                #expect(
                    try daemon.run(.masu, "logs", "long").output == String(repeating: "y", count: 100_000) + "\nend")
            }
        }
    }
}
