import Foundation
import Testing

@Suite("The daemon's configuration")
struct ConfigurationTests {
    private func validate(_ configuration: String, _ flags: [String] = []) throws -> (status: Int32, errors: String) {
        let masud = try Masud()
        defer { try? masud.remove() }
        try masud.write(configuration)
        return try masud.run(["--validate", "--config-file", masud.path("daemon.json")] + flags)
    }

    @Test(
        "a file with the keys of Docker's is accepted",
        arguments: [
            "", "{}", #"{"debug":true,"hosts":["unix:///a","tcp://127.0.0.1:1","tcp://[::1]:2"],"labels":["a=b"]}"#,
            #"{"log-opts":{"max-size":"10m"},"default-shm-size":"128m","live-restore":true,"shutdown-timeout":5}"#,
            #"{"attach-spill-limit":"10m"}"#,
            #"{"runtimes":{"crun":{"path":"/usr/bin/crun"}},"default-runtime":"crun"}"#,
            #"{"runtimes":{"gvisor":{"path":"/usr/bin/runsc","runtimeArgs":["--debug"]}},"default-runtime":"gvisor"}"#,
            #"{"default-ulimits":{"nofile":{"Name":"nofile","Hard":20,"Soft":10}}}"#,
            #"{"exec-opts":["native.cgroupdriver=systemd"],"storage-driver":"overlay2","log-driver":"none"}"#,
            #"{"proxies":{"http-proxy":"http://u:p@h:1","https-proxy":"https://h","no-proxy":"*.test,10.0.0.0/8"}}"#,
        ])
    func accepted(_ configuration: String) throws {
        let result = try validate(configuration)
        #expect(result.errors == "configuration OK\n")
        #expect(result.status == 0)
    }

    @Test(
        "a file that is wrong is refused with what is wrong in it",
        arguments: [
            (#"{"foo":1,"bar":2}"#, "the following directives don't match any configuration option: bar, foo"),
            (#"{"config-file":"x"}"#, "the following directives don't match any configuration option: config-file"),
            (#"{"debug":true"#, "invalid JSON at line 1, column 14"), ("[]", "must be a JSON object"),
            (#"{"debug":"maybe"}"#, #"invalid argument "maybe" for "-D, --debug" flag"#),
            (#"{"log-level":"loud"}"#, #"invalid argument "loud" for "-l, --log-level" flag"#),
            (#"{"hosts":"unix:///a"}"#, "hosts: must be an array or an object, not a string"),
            (#"{"default-runtime":"nosuch"}"#, "specified default runtime 'nosuch' does not exist"),
            (
                #"{"runtimes":{"a":{"path":"/bin/a","runtimeArgs":"-x"}}}"#,
                "runtimeArgs of a must be an array of strings"
            ),
            (#"{"runtimes":{"masu":{"path":"/x"}}}"#, "runtime name 'masu' is reserved"),
            (#"{"proxies":{"https-proxy":"ftp://me:secret@h"}}"#, "invalid proxy address \"ftp://xxxxx:xxxxx@h\""),
            (#"{"proxies":{"ftp-proxy":"h"}}"#, "don't match any configuration option: proxies.ftp-proxy"),
            (#"{"proxies":[]}"#, "proxies: must be an object"),
            (#"{"http-proxy":"h"}"#, "don't match any configuration option: http-proxy"),
            (#"{"storage-driver":"zfs"}"#, #"unknown storage driver "zfs""#),
            (#"{"exec-opts":["native.cgroupdriver=other"]}"#, "native.cgroupdriver option other not supported"),
            (#"{"data-root":"relative"}"#, "--data-root must be an absolute path"),
            (#"{"hosts":["tcp://0.0.0.0:2375"]}"#, "refusing to listen on tcp://0.0.0.0:2375"),
            (#"{"hosts":["tcp://192.168.0.1:2375"]}"#, "refusing to listen on"),
            (#"{"hosts":["tcp://127.0.0.1:x"]}"#, "invalid port"), (#"{"hosts":["ftp://x"]}"#, "unsupported scheme"),
            (#"{"hosts":["unix://relative"]}"#, "must be absolute"), (#"{"labels":["x"]}"#, "bad attribute format: x"),
            (
                #"{"default-ulimits":{"nofile":{"Hard":1,"Soft":2}}}"#,
                "soft limit must be less than or equal to hard limit"
            ),
        ])
    func refused(_ configuration: String, _ text: String) throws {
        let result = try validate(configuration)
        #expect(result.status == 1)
        #expect(result.errors.contains(text), "\(result.errors)")
    }

    @Test("what is said by flag and file is a conflict")
    func conflict() throws {
        let result = try validate(#"{"debug":false,"hosts":["unix:///a"]}"#, ["-D"])
        #expect(result.status == 1)
        #expect(
            result.errors.contains(
                "specified both as a flag and in the configuration file: debug: (from flag: true, from file: false)"))
    }

    @Test("a file that was named must be there")
    func missing() throws {
        let masud = try Masud()
        defer { try? masud.remove() }
        let result = try masud.run(["--validate", "--config-file", masud.path("none.json")])
        #expect(result.status == 1)
        #expect(result.errors.contains("no such file or directory"))
    }

    @Test("an unknown flag is a usage error")
    func unknownFlag() throws {
        let result = try validate("{}", ["--bogus"])
        #expect(result.status == 125)
        #expect(result.errors.hasPrefix("unknown flag: --bogus\n"))
    }
}
