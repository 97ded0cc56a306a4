import Glibc
import LinuxKernel
import OCISpec
import SystemPackage
import Testing

extension RuntimeTests {
    /// What somebody who is not root can do.
    @Suite(
        "rootless",
        .enabled(if: UnprivilegedUser.canMakeNamespaces, "user namespaces are not for unprivileged users here"))
    struct Rootless {
        @Test("a user is root in a container, and what it makes there is the user's")
        func runs() throws {
            let user = try UnprivilegedUser("id -u; id -g; touch /data/made; cat /proc/self/setgroups; ls -A /dev/pts")
            let result = try user.run()
            #expect(result.code == 0, "\(result)")
            #expect(result.lines == ["0", "0", "deny", "ptmx"])
            #expect(try FileStatus.of(user.bundle.rootfs.appending("data/made")).uid == UnprivilegedUser.id)
            #expect(user.bundle.leftovers() == [])
        }

        @Test("create, exec before and after the start, state, kill and delete work for a user")
        func lifeCycle() throws {
            let user = try UnprivilegedUser("sleep 100")
            let id = user.bundle.id
            try user.save()
            let created = try user.runtime("create", id)
            #expect(created.code == 0, "\(created)")
            #expect(try user.runtime("exec", id, "id", "-u").lines == ["0"])
            #expect(try user.runtime("start", id).code == 0)
            #expect(try user.runtime("exec", id, "pwd").lines == ["/"])
            #expect(try user.runtime("state", id).output.contains("running"))
            #expect(try user.runtime("kill", id, "KILL").code == 0)
            #expect(try user.bundle.wait { try user.runtime("delete", id).code == 0 })
            #expect(user.bundle.leftovers() == [])
        }

        @Test("without --root a user's containers are below XDG_RUNTIME_DIR, in a directory that is not cleaned up")
        func stateDirectory() throws {
            let user = try UnprivilegedUser()
            try user.save()
            let result = try UnprivilegedUser.run(
                [
                    "env", "XDG_RUNTIME_DIR=\(user.runtimeDirectory)", user.program.string, "run", "--keep",
                    user.bundle.id,
                ],
                in: user.bundle.directory)
            #expect(result.code == 0, "\(result)")
            let directory = user.runtimeDirectory.appending("masu-runtime")
            #expect(try FileStatus.of(directory).mode & 0o7777 == 0o1700)
            #expect(try Files.names(in: directory) == [user.bundle.id])
        }

        struct Refusal: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var text: String
            var change: @Sendable (inout Spec) -> Void

            init(_ name: String, _ text: String, _ change: @escaping @Sendable (inout Spec) -> Void) {
                testDescription = name
                self.text = text
                self.change = change
            }
        }

        static let refusals = [
            Refusal("no user namespace", "rootless container requires user namespaces") {
                $0.linux?.namespaces?.removeAll { $0.type == .user }
                $0.linux?.uidMappings = nil
                $0.linux?.gidMappings = nil
            },
            Refusal("groups", "cannot set any additional groups in a rootless container") {
                $0.process?.user.additionalGids = [5]
            },
            Refusal("a group that is not mapped", "cannot specify gid=5 mount option for rootless container") {
                $0.mounts?.append(Mount(destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["gid=5"]))
            },
            Refusal("id-mapped mounts", "id-mapped mounts are not supported for rootless containers") {
                $0.mounts?.append(Mount(destination: "/tmp", source: "/tmp", options: ["rbind", "idmap"]))
            },
            Refusal("ids of others, without newuidmap", "mapping tool not present") {
                $0.linux?.uidMappings?.append(LinuxIDMapping(containerID: 1, hostID: 700_000, size: 10))
            },
            Refusal("a limit, without a group", "cgroup") {
                $0.linux?.resources = LinuxResources()
                $0.linux?.resources?.pids = LinuxPids(limit: 10)
            },
            Refusal("a group where the user may make none", "masu-runtime-test-denied") {
                $0.linux?.cgroupsPath = "/masu-runtime-test-denied"
            },
        ]

        @Test("what a user cannot have is refused by its name, and nothing is left over", arguments: refusals)
        func refusal(_ refusal: Refusal) throws {
            let user = try UnprivilegedUser()
            refusal.change(&user.bundle.spec)
            let result = try user.run(setUp: "PATH=/nowhere; export PATH")
            #expect(result.code == 1, "\(result)")
            #expect(result.errors.contains(refusal.text), "\(result)")
            #expect(result.errors.split(separator: "\n").count == 1, "\(result)")
            #expect(user.bundle.leftovers() == [])
        }

        @Test("a container without a control group cannot be paused, and says so")
        func pauseWithoutGroup() throws {
            let user = try UnprivilegedUser("sleep 100")
            #expect(try user.start().code == 0)
            let result = try user.runtime("pause", user.bundle.id)
            #expect(result.code == 1)
            #expect(result.errors.contains("cannot toggle freezer: cgroups not configured for container"))
            #expect(try user.runtime("delete", "--force", user.bundle.id).code == 0)
        }

        @Test("control groups that have been given to the user are used")
        func delegatedGroup() throws {
            let user = try UnprivilegedUser("sleep 100")
            let id = user.bundle.id
            let path = "/masu-runtime-test/\(id)-delegated"
            let isUnified = Files.exists("/sys/fs/cgroup/cgroup.controllers")
            let hierarchies =
                isUnified
                ? ["/sys/fs/cgroup"]
                : try Files.readText("/proc/self/cgroup").split(separator: "\n").compactMap {
                    let name = $0.split(separator: ":", omittingEmptySubsequences: false)[1]
                    return name.isEmpty ? nil : "/sys/fs/cgroup/" + name.replacing("name=", with: "")
                }.filter { Files.exists(FilePath($0)) }
            let script = """
                for hierarchy in \(hierarchies.joined(separator: " ")); do
                    if [ -e $hierarchy/cgroup.controllers ]; then
                        mkdir -p $hierarchy/masu-runtime-test
                        for parent in "" /masu-runtime-test; do
                            for name in $(cat $hierarchy$parent/cgroup.controllers); do
                                echo +$name > $hierarchy$parent/cgroup.subtree_control || true
                            done
                        done
                        chown \(UnprivilegedUser.id) $hierarchy/cgroup.procs
                    fi
                    mkdir -p $hierarchy\(path)
                    for name in cpuset.cpus cpuset.mems; do
                        for directory in $hierarchy/masu-runtime-test $hierarchy\(path); do
                            [ ! -e $hierarchy/tasks ] || [ ! -e $directory/$name ] || cat $hierarchy/$name > $directory/$name
                        done
                    done
                    chown -R \(UnprivilegedUser.id) $hierarchy\(path)
                done
                """
            defer {
                _ = try? user.runtime("delete", "--force", id)
                for hierarchy in hierarchies {
                    try? Files.removeDirectory(FilePath(hierarchy + path))
                    if isUnified { chown("\(hierarchy)/cgroup.procs", 0, 0) }
                }
            }
            let prepared = try RuntimeProgram.run("/bin/sh", ["-ec", script], in: "/")
            #expect(prepared.code == 0, "\(prepared)")
            user.bundle.spec.linux?.cgroupsPath = "\(path)/inner"
            user.bundle.spec.linux?.resources = LinuxResources()
            user.bundle.spec.linux?.resources?.devices = [LinuxDeviceCgroup(allow: false, access: "rwm")]
            user.bundle.spec.linux?.resources?.pids = LinuxPids(limit: 17)
            let started = try user.start()
            #expect(started.code == 0, "\(started)")
            let counting = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids"
            #expect(try Files.readText(FilePath("\(counting)\(path)/inner/pids.max")) == "17")
            #expect(try user.runtime("ps", "--format", "json", id).output.hasPrefix("["))
            #expect(try user.runtime("update", "--pids-limit", "18", id).code == 0)
            #expect(try Files.readText(FilePath("\(counting)\(path)/inner/pids.max")) == "18")
            #expect(try user.runtime("pause", id).code == 0)
            #expect(try user.runtime("state", id).output.contains("paused"))
            #expect(try user.runtime("resume", id).code == 0)
            #expect(try user.runtime("delete", "--force", id).code == 0)
            #expect(!Files.exists(FilePath("\(counting)\(path)/inner")))
        }

        @Test(
            "ids delegated to the user are mapped by newuidmap and newgidmap",
            .enabled(if: UnprivilegedUser.hasMappingTools, "newuidmap is not installed"))
        func delegatedIDs() throws {
            let user = try UnprivilegedUser("id -u; id -g; id -G; touch /tmp/made")
            let (uids, gids) = UnprivilegedUser.delegated
            user.bundle.spec.linux?.uidMappings?.append(LinuxIDMapping(containerID: 1, hostID: uids, size: 1000))
            user.bundle.spec.linux?.gidMappings?.append(LinuxIDMapping(containerID: 1, hostID: gids, size: 1000))
            user.bundle.spec.process?.user = User(uid: 7, gid: 9)
            chmod(user.bundle.rootfs.appending("tmp").string, 0o777)
            let result = try user.runWithDelegatedIDs()
            #expect(result.code == 0, "\(result)")
            #expect(result.lines == ["7", "9", "9"])
            let status = try FileStatus.of(user.bundle.rootfs.appending("tmp/made"))
            #expect(status.uid == uids + 6 && status.gid == gids + 8)
        }

        @Test("ids that are not delegated to the user are refused")
        func foreignIDs() throws {
            guard UnprivilegedUser.hasMappingTools else { return }
            let user = try UnprivilegedUser()
            user.bundle.spec.linux?.uidMappings?.append(LinuxIDMapping(containerID: 1, hostID: 1, size: 1000))
            let result = try user.runWithDelegatedIDs()
            #expect(result.code == 1, "\(result)")
            #expect(result.errors.contains("failed to use newuidmap"), "\(result)")
            #expect(user.bundle.leftovers() == [])
        }

        @Test("the file of a user's runtime is out of reach for the user's containers (CVE-2019-5736)")
        func sealing() throws {
            let user = try UnprivilegedUser("sleep 100")
            try user.save()
            #expect(try user.runtime("create", user.bundle.id).code == 0)
            try SealedProgram.expect(of: user.bundle)
            #expect(try user.runtime("delete", "--force", user.bundle.id).code == 0)
        }
    }

    /// What processes in user namespaces cannot set about themselves.
    @Suite("user namespaces")
    struct UserNamespaces {
        @Test("the file of the runtime stays read-only even for those who may mount (CVE-2019-5736)")
        func sealing() throws {
            let bundle = try TestBundle("sleep 100")
            try bundle.save()
            #expect(try bundle.runtime("create", bundle.id).code == 0)
            try SealedProgram.expect(of: bundle)
        }

        @Test("oom_score_adj is set in a user namespace")
        func outOfMemoryScore() throws {
            let bundle = try TestBundle("cat /proc/self/oom_score_adj")
            let mapping = LinuxIDMapping(containerID: 0, hostID: 100_000, size: 1000)
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .user))
            bundle.spec.linux?.uidMappings = [mapping]
            bundle.spec.linux?.gidMappings = [mapping]
            bundle.spec.process?.oomScoreAdj = 321
            chmod(bundle.directory.string, 0o755)
            let result = try bundle.run()
            #expect(result.lines == ["321"], "\(result)")
        }

        @Test(
            "limits in a user namespace may be as high as the caller may set them",
            .enabled(
                if: (try? Credentials.capabilities().effective.contains(CapabilitySet(rawValue: 1 << 24))) == true,
                "needs CAP_SYS_RESOURCE"))
        func raisedLimits() throws {
            let bundle = try TestBundle("ulimit -Hn; ulimit -Sn")
            let mapping = LinuxIDMapping(containerID: 0, hostID: 100_000, size: 1000)
            bundle.spec.linux?.namespaces?.append(LinuxNamespace(type: .user))
            bundle.spec.linux?.uidMappings = [mapping]
            bundle.spec.linux?.gidMappings = [mapping]
            // No limit of descriptors is higher than this one, whoever asks.
            let most = UInt64(try Files.readText("/proc/sys/fs/nr_open")) ?? 0
            let hard = min(try ResourceLimit.nofile.get().hard + 1, most)
            bundle.spec.process?.rlimits = [POSIXRlimit(type: "RLIMIT_NOFILE", soft: hard, hard: hard)]
            chmod(bundle.directory.string, 0o755)
            let result = try bundle.run()
            #expect(result.lines == ["\(hard)", "\(hard)"], "\(result)")
        }
    }

    /// The program's file as a process on its way into a container shows it.
    enum SealedProgram {
        /// Expects that the runtime's file, to which the process of the created container in `bundle` leads, cannot be
        /// made writable.
        static func expect(of bundle: TestBundle) throws {
            let text = try Files.readText(bundle.state.appending("\(bundle.id)/state.json"))
            let pid = text.firstMatch(of: /"pid":(\d+)/)?.1 ?? ""
            let file = try Files.open(FilePath("/proc/\(pid)/exe"), .path)
            defer { file.discard() }
            #expect(try Mounts.flags(of: file).contains(.readOnly))
            #expect(throws: Errno.invalidArgument) { try Mounts.setAttributes(of: file, clear: .readOnly) }
            #expect(throws: Errno.self) { try Mounts.cloneTree(at: file).discard() }
        }
    }
}
