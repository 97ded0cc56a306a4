import Addresses
import Engine
import GRDB
import JSON
import LinuxKernel
import OCISpec
import PublishedPorts
import Testing

/// Rows that an earlier version wrote go on being containers.
@Suite("Migration of the database") struct MigrationTests {
    /// A database as `engine-1` left it, with one container for each of `configurations`, migrated to today's.
    private func migrated(_ configurations: [String: String]) throws -> DatabaseQueue {
        let database = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        Engine.registerMigrations(in: &migrator)
        try migrator.migrate(database, upTo: "engine-1")
        try database.write { database in
            for (name, configuration) in configurations {
                try database.execute(
                    sql: """
                        INSERT INTO container (id, name, createdAt, imageID, configuration, path, arguments, state)
                        VALUES (?, ?, '2026-11-30T16:18:00Z', 'sha256:0', ?, 'sh', '[]', 'created')
                        """,
                    arguments: [name, name, configuration])
            }
        }
        try migrator.migrate(database)
        return database
    }

    private func configuration(_ old: String) throws -> ContainerConfiguration {
        let database = try migrated(["x": old])
        let text = try database.read { try String.fetchOne($0, sql: "SELECT configuration FROM container") }
        return try ContainerConfiguration(stored: try #require(text))
    }

    @Test("a container without options")
    func plain() throws {
        let configuration = try configuration(OldConfigurations.plain)
        #expect(configuration.image == "box" && configuration.command == ["sh"])
        #expect(configuration.stopSignal?.value == Signal("QUIT") && configuration.stopSignal?.text == "SIGQUIT")
        #expect(configuration.exposedPorts == [PortRange(443)])
        #expect(configuration.host.networkMode == .network("bridge"))
        #expect(configuration.host.log == LogSettings(driver: .jsonFile))
        #expect(configuration.host.maskedPaths?.count == 12 && configuration.host.shmSize == 64 << 20)
    }

    @Test("a container with every option keeps every value and every word")
    func full() throws {
        let configuration = try configuration(OldConfigurations.full)
        #expect(configuration.stopSignal?.value.rawValue == 37 && configuration.stopSignal?.text == "RTMIN+3")
        #expect(
            configuration.exposedPorts.map(\.description) == ["53/udp", "80/tcp", "8000-8010/tcp", "443/tcp"])
        #expect(configuration.environment == ["A=b", "C"] && configuration.healthcheck?.retries == 3)
        let host = configuration.host
        #expect(host.capAdd.map(\.text) == ["NET_ADMIN"] && host.capAdd.first?.value == CapabilityName("CAP_NET_ADMIN"))
        #expect(host.capDrop.map(\.text) == ["mknod"])
        #expect(
            host.securityOptions.options.map(\.text)
                == ["no-new-privileges", "seccomp=unconfined", "apparmor:prof", "label=disable"])
        #expect(host.securityOptions.noNewPrivileges == true && host.securityOptions.seccomp == .unconfined)
        #expect(host.securityOptions.appArmor == "prof" && host.securityOptions.labels == ["disable"])
        #expect(host.binds.map(\.description) == ["/tmp:/b:ro", "/usr:/u:rw,rslave,z"])
        #expect(host.binds[0].isReadOnly && host.binds[1].propagation == .rslave)
        let points = configuration.mountPoints
        #expect(points.map(\.destination) == ["/b", "/u", "/t2", "/v"])
        #expect(points.map(\.kind) == [.bind, .bind, .tmpfs, .bind])
        #expect(points.map(\.mode) == ["ro", "rw,rslave,z", "", ""] && points.map(\.isWritable).first == false)
        #expect(points.map(\.propagation) == [.rprivate, .rslave, nil, .rslave])
        #expect(points[3].isReadOnlyAtTopOnly == true)
        #expect(host.mounts.map(\.target.path) == ["/t2", "/v"])
        #expect(host.mounts[0].tmpfs?.options.map(\.description) == ["exec", "uid=5"])
        #expect(host.mounts[0].tmpfs?.mode == 0o700 && host.mounts[1].bind?.propagation == .rslave)
        #expect(host.mounts[1].bind?.readOnlyNonRecursive == true)
        #expect(host.tmpfs.map(\.target.path) == ["/t"])
        #expect(host.tmpfs[0].options.map(\.description) == ["size=64m", "mode=1770", "exec"])
        #expect(host.extraHosts.map(\.text) == ["one:10.0.0.1", "two=fd00::2"])
        #expect(host.extraHosts.map(\.value.address) == [IPAddress("10.0.0.1"), IPAddress("fd00::2")])
        #expect(host.dns == [IPAddress("9.9.9.9")] && host.restartPolicy == .onFailure(maximumRetryCount: 3))
        #expect(host.log.driver == .jsonFile && host.log.file.maxSize?.value == ByteCount(10 << 20))
        #expect(host.log.file.maxSize?.text == "10m" && host.log.file.maxFiles == 3)
        #expect(host.log.file.labels == ["l"] && host.log.file.environment == ["A"])
        #expect(host.log.file.tag == "{{.Name}}")
        let resources = host.resources
        #expect(resources.devices.first?.access.value == .read)
        #expect(resources.deviceCgroupRules.map(\.description) == ["c 1:3 rwm", "b *:7 r", "a *:* m"])
        #expect(resources.ulimits == [Ulimit(.nofile, soft: 10, hard: 20)])
        #expect(resources.memory == 64 << 20 && host.consoleSize == ConsoleSize(rows: 24, columns: 80))
    }

    @Test("security options, joined name spaces, published ports")
    func others() throws {
        let privileged = try configuration(OldConfigurations.seccomp).host
        #expect(privileged.securityOptions.seccomp == .profile(SeccompProfile(defaultAction: "SCMP_ACT_ALLOW")))
        #expect(privileged.securityOptions.writableCgroups == true)
        #expect(privileged.securityOptions.noNewPrivileges == false)
        #expect(privileged.securityOptions.systemPathsUnconfined && privileged.log.driver == LogDriver.none)
        let joined = try configuration(OldConfigurations.joined).host
        guard case .container = joined.networkMode else { throw EngineError(.system, "\(joined.networkMode)") }
        #expect(joined.log.file.mode == .nonBlocking && joined.log.file.maxBufferSize?.text == "2m")
        let numbered = try configuration(OldConfigurations.ports)
        #expect(numbered.stopSignal?.text == "9" && numbered.host.autoRemove)
        let published = try configuration(OldConfigurations.ports2).host
        #expect(published.publishedPorts.map(\.port.description) == ["80/tcp", "90-91/udp"])
        #expect(published.publishedPorts[0].bindings.first?.address == IPAddress("127.0.0.1"))
        #expect(published.publishedPorts[0].bindings.first?.ports == HostPorts("8080"))
        #expect(published.publishedPorts[1].bindings == [PortBinding()])
    }

    @Test("a seccomp profile is understood once, and shown as it was given")
    func profiles() throws {
        let text = """
            {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"archMap":[{"architecture":"SCMP_ARCH_X86_64",
            "subArchitectures":["SCMP_ARCH_X86"]}],"syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW"},
            {"names":["bpf"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}],
            "includes":{"caps":["CAP_BPF"],"minKernel":"4.8"},"excludes":{"arches":["arm64"]}}]}
            """
        var old = OldConfigurations.seccomp
        let place = try #require(old.range(of: #"{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"#))
        let quoted = String(decoding: try JSON.encode(text), as: UTF8.self).dropFirst().dropLast()
        old.replaceSubrange(place, with: quoted)
        let options = try configuration(old).host.securityOptions
        var profile = SeccompProfile(defaultAction: "SCMP_ACT_ERRNO")
        profile.defaultErrnoRet = 1
        profile.architectures = .byMachine(others: ["SCMP_ARCH_X86_64": ["SCMP_ARCH_X86"]])
        let argument = LinuxSeccompArg(index: 0, value: 1, op: "SCMP_CMP_EQ")
        profile.rules = [
            .init(LinuxSyscall(names: ["read"], action: "SCMP_ACT_ALLOW")),
            .init(
                LinuxSyscall(names: ["bpf"], action: "SCMP_ACT_ERRNO", errnoRet: 38, args: [argument]),
                includes: .init(capabilities: ["CAP_BPF"], minimumKernel: KernelVersion(4, 8)),
                excludes: .init(machines: ["arm64"])),
        ]
        #expect(options.seccomp == .profile(profile))
        #expect(options.options.first?.text == "seccomp=" + text)
    }

    @Test("modes of the second format keep their meaning")
    func modes() throws {
        let full = try configuration(OldConfigurations.full).host
        #expect(full.networkMode == .none && full.pidMode == .host && full.ipcMode == .shareable)
        #expect(full.utsMode == .private && full.userNamespaceMode == .default)
        #expect(full.restartPolicy == .onFailure(maximumRetryCount: 3))
        let joined = try configuration(OldConfigurations.joined).host
        let id = "8018ced2216ed973d1329efecb725769262dab1877147381cdfaf28bfa67e5e3"
        #expect(joined.networkMode == .container(id))
    }

    /// A container as the last daemon wrote it that had volumes and knew nothing of health.
    private static let withVolumes = #"""
        {"image":"box","healthcheck":{"test":["CMD","x"],"interval":1000000000,"retries":3},"mountPoints":[
        {"content":{"volume":{"_0":{"name":"data","driver":"local","path":"/var/lib/masu/volumes/data/_data",
        "isAnonymous":false,"subpath":"a/b","copiesUp":true}}},"target":"/data","mode":"z","isWritable":true},
        {"content":{"volume":{"_0":{"name":"0f","driver":"net","path":"","isAnonymous":true,"copiesUp":false}}},
        "target":"/extra","mode":"","isWritable":false},
        {"content":{"image":{"_0":{"reference":"tool","id":"sha256:1","snapshot":"web-image-0"}}},"target":"/tool",
        "mode":"","isWritable":false}]}
        """#

    @Test("a container with volumes that ran before health was known runs on, and has no health yet")
    func health() throws {
        let database = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        Engine.registerMigrations(in: &migrator)
        try migrator.migrate(database, upTo: "engine-5-mounts")
        #expect(try database.read { try $0.columns(in: "container").map(\.name) }.contains("health") == false)
        try database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO container (id, name, createdAt, imageID, configuration, path, arguments, state, pid,
                        shimPID, startedAt, restartCount, isManuallyStopped, hasRun)
                    VALUES ('web', 'web', '2026-11-30T16:18:00Z', 'sha256:0', ?, 'sh', '["-c"]', 'running', 7, 6,
                        '2026-11-30T16:19:00Z', 2, 0, 1)
                    """,
                arguments: [Self.withVolumes])
        }
        try migrator.migrate(database)
        var record = try #require(try database.read { try ContainerRecord.all(in: $0) }.first)
        #expect(record.damage == nil && record.health == nil)
        #expect(record.state.running?.pid == 7 && record.restartCount == 2 && record.hasRun)
        #expect(record.configuration.healthcheck?.retries == 3)
        let points = record.configuration.mountPoints
        #expect(points.map(\.kind) == [.volume, .volume, .image])
        #expect(points.map(\.destination) == ["/data", "/extra", "/tool"])
        #expect(points[0].volume?.subpath == Subpath("a/b") && points[0].volume?.copiesUp == true)
        #expect(points[0].mode == "z" && points[0].isWritable)
        #expect(points[1].volume?.driver == "net" && points[1].volume?.isAnonymous == true && !points[1].isWritable)
        #expect(record.configuration.volumeNames == ["0f", "data"])
        record.health = ContainerHealth()
        let changed = record
        try database.write { try changed.updateState(in: $0) }
        let again = try #require(try database.read { try ContainerRecord.all(in: $0) }.first)
        #expect(again.health == ContainerHealth() && again.state.running?.pid == 7)
    }

    @Test("a row that cannot be understood stays as it is and stops nothing")
    func damaged() throws {
        let rows = ["bad": "{\"image\":", "odd": #"{"host":{"binds":[7]}}"#, "good": OldConfigurations.plain]
        let database = try migrated(rows)
        let kept = try database.read { database in
            try ["bad", "odd"].map {
                try String.fetchOne(database, sql: "SELECT configuration FROM container WHERE id = ?", arguments: [$0])
            }
        }
        #expect(kept == [rows["bad"], rows["odd"]])
        let good = try database.read {
            try String.fetchOne($0, sql: "SELECT configuration FROM container WHERE id = 'good'")
        }
        #expect(try ContainerConfiguration(stored: try #require(good)).image == "box")
    }
}
