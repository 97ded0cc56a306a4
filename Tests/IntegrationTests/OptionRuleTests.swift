import Foundation
import Testing

/// Rules of Docker's about what an option means, by whom and where it is asked for.
extension Integration.Options {
    @Test("control groups can be written to if that is asked for, and only then")
    func writableCgroups() throws {
        try withDaemon { (daemon: TestDaemon) throws in
            let make = """
                d=/sys/fs/cgroup; [ -d $d/pids ] && d=$d/pids
                mkdir $d/inner 2>/dev/null && rmdir $d/inner && echo made || echo refused
                """
            #expect(try inside(daemon, [], make) == "refused")
            #expect(try inside(daemon, ["--security-opt", "writable-cgroups=false"], make) == "refused")
            #expect(try inside(daemon, ["--security-opt", "writable-cgroups=true"], make) == "made")
            #expect(try inside(daemon, ["--privileged"], make) == "made")
        }
    }

    @Test("a bind mount of the daemon's own files lets go of what the host unmounts")
    func dataRoot() throws {
        try withDaemon { (daemon: TestDaemon) throws in
            for (index, option) in [[daemon.dataRoot, "/"], ["/tmp", "/x"]].enumerated() {
                let name = "bind\(index)"
                try daemon.ok(.masu, "create", "--name", name, "-v", "\(option[0]):/d", "busybox", "true")
                let propagation = try daemon.ok(
                    .masu, "inspect", "-f", "{{range .Mounts}}{{.Propagation}}{{end}}", name)
                // /tmp holds the data root of every test.
                #expect(propagation == "rslave", "\(option[0])")
                #expect(try daemon.run(.masu, "start", "-a", name).code == 0)
            }
            try daemon.ok(.masu, "create", "--name", "other", "-v", "/usr:/d", "busybox", "true")
            #expect(
                try daemon.ok(.masu, "inspect", "-f", "{{range .Mounts}}{{.Propagation}}{{end}}", "other")
                    == "rprivate")
            let refusal = try daemon.run(.masu, "create", "-v", "\(daemon.dataRoot):/d:private", "busybox", "true")
            #expect(refusal.code == 1 && refusal.errors.contains("must use either propagation mode"), "\(refusal)")
        }
    }

    @Test("read-only goes all the way down for clients from API 1.44 on")
    func readOnlyBinds() throws {
        try withDaemon { (daemon: TestDaemon) throws in
            // Where the host has nothing mounted below /dev there is nothing to see.
            let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
            guard mounts.contains(" /dev/pts ") else { return }
            for (version, access) in [("v1.43", "rw"), ("v1.44", "ro")] {
                let body = """
                    {"Image":"busybox","Cmd":["sh","-c","grep -o '/h/pts r[ow]' /proc/self/mountinfo | sort -u"],
                    "HostConfig":{"Binds":["/dev:/h:ro"]}}
                    """
                let name = "ro-\(access)"
                let answer = try daemon.http("POST", "/\(version)/containers/create?name=\(name)", body: body)
                #expect(answer.status == 201, "\(answer)")
                #expect(try daemon.ok(.masu, "start", "-a", name) == "/h/pts \(access)")
            }
        }
    }

    @Test("a container without network has none, whatever its network mode is")
    func networkDisabled() throws {
        try withDaemon { (daemon: TestDaemon) throws in
            let body = """
                {"Image":"busybox","Cmd":["readlink","/proc/self/ns/net"],"NetworkDisabled":true,
                "HostConfig":{"NetworkMode":"host"}}
                """
            #expect(try daemon.http("POST", "/containers/create?name=alone", body: body).status == 201)
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/net")
            #expect(try daemon.ok(.masu, "start", "-a", "alone") != own)
        }
    }

    @Test("the host's console is none of a container's devices")
    func console() throws {
        try withDaemon { (daemon: TestDaemon) throws in
            #expect(
                try inside(
                    daemon, ["--cap-add", "MKNOD"],
                    "mknod /tmp/c c 5 1 && (: </tmp/c) 2>&1 | grep -o 'not permitted'") == "not permitted")
        }
    }

    @Test("what the container wants of its network is shown")
    func endpoint() throws {
        try withDaemon { (daemon: TestDaemon) throws in
            let body = """
                {"Image":"busybox","Cmd":["true"],
                "NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02:42:ac:11:00:02"}}}}
                """
            let answer = try daemon.http("POST", "/v1.51/containers/create?name=mac", body: body)
            #expect(answer.status == 201 && answer.body.contains("\"Warnings\":[]"), "\(answer)")
            for client in Client.available {
                let shown = try daemon.ok(
                    client, "inspect", "-f",
                    "{{.HostConfig.NetworkMode}} {{range $k, $v := .NetworkSettings.Networks}}{{$k}} "
                        + "{{$v.MacAddress}}{{end}}",
                    "mac")
                #expect(shown == "bridge bridge 02:42:ac:11:00:02")
            }
            #expect(try daemon.ok(.masu, "ps", "-aq", "--filter", "network=bridge").isEmpty == false)
            for (version, isThere) in [("v1.47", false), ("v1.48", true)] {
                for path in ["mac/json", "json?all=1"] {
                    let answer = try daemon.http("GET", "/\(version)/containers/\(path)")
                    #expect(answer.body.contains("\"ImageManifestDescriptor\"") == isThere, "\(version) \(path)")
                }
            }
        }
    }
}
