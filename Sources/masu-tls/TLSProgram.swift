import BuildInformation
import Flags
import Glibc
import LinuxKernel
import SystemPackage
import TLS

/// The relay's entry point: `masu` runs it for each connection to a daemon that it reaches with TLS.
///
/// Standard input is a stream socket with the plain bytes of both directions, descriptor 3 the socket on which the
/// daemon is. An error is one line on standard error, for `masu` to show.
@main
enum TLSProgram {
    private static let authority = Flag.string(
        "tlscacert", type: "file", "Trust only certificates that this authority (PEM) has signed")
    private static let certificate = Flag.string("tlscert", type: "file", "Certificate to show (PEM); with --tlskey")
    private static let key = Flag.string("tlskey", type: "file", "Private key of the certificate (PEM)")
    private static let verifies = Flag.boolean("tlsverify", "Verify the daemon's certificate", default: true)
    private static let version = Flag.boolean("version", short: "v", "Print version information and quit")

    private static let command = Command(
        "masu-tls", operands: "HOST", arity: .between(0, 1), "Carries a connection of masu to a daemon over TLS",
        discussion: """
            masu runs this program for every connection to a daemon with TLS. Standard input is a socket with the \
            plain bytes of both directions, descriptor 3 is the connected socket. HOST is the name or address that \
            the daemon's certificate must have.
            """,
        flags: { [authority, certificate, key, verifies, version] })

    static func main() {
        Descriptors.secureStandardStreams()
        do {
            exit(try run(Array(CommandLine.arguments.dropFirst())))
        } catch let error as UsageError {
            complain(error.description)
            exit(error.exitStatus)
        } catch let error as Errno {
            complain("read: \(error.words)")
        } catch {
            complain("\(error)")
        }
        exit(1)
    }

    private static func run(_ arguments: [String]) throws -> Int32 {
        let invocation = try command.parse(arguments)
        let flags = invocation.flags
        if invocation.wantsHelp {
            try StandardOutput.print(invocation.help())
            return 0
        }
        if flags[version] {
            try StandardOutput.print("masu-tls version \(MasuVersion.version)")
            return 0
        }
        let encrypted = FileDescriptor(rawValue: 3)
        guard let host = invocation.operands.first, isSocket(FileDescriptor.standardInput), isSocket(encrypted) else {
            complain("masu-tls is run by masu, which gives it a host and two sockets: see masu-tls --help")
            return 1
        }
        let authorities = flags[authority].isEmpty ? [] : [FilePath(flags[authority])]
        var identity: TLSIdentity?
        // A certificate without a key proves nothing: docker does without it as well.
        if !flags[certificate].isEmpty, !flags[key].isEmpty {
            identity = try TLSIdentity(chainFile: FilePath(flags[certificate]), keyFile: FilePath(flags[key]))
        }
        let context = try TLSContext(
            authorities: authorities, trustsSystem: authorities.isEmpty, verifies: flags[verifies], identity: identity)
        try TLSRelay(context, host: host, plain: .standardInput, encrypted: encrypted).run()
        return 0
    }

    private static func isSocket(_ descriptor: FileDescriptor) -> Bool {
        var status = stat()
        return fstat(descriptor.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    private static func complain(_ text: String) {
        // There is nowhere to report that standard error is closed.
        try? FileDescriptor.standardError.writeEntire(Array((text + "\n").utf8))
    }
}
