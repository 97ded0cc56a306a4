import Flags
import Testing

private let interactive = Flag.boolean("interactive", short: "i", "Keep STDIN open")
private let tty = Flag.boolean("tty", short: "t", "Allocate a terminal")
private let remove = Flag.boolean("rm", "Remove afterwards")
private let proxy = Flag.boolean("sig-proxy", "Pass signals on", default: true)
private let publish = Flag.list("publish", short: "p", "Publish a port")
private let memory = Flag.bytes("memory", short: "m", "Memory limit")
private let name = Flag.string("name", "The container's name")
private let verbose = Flag.count("verbose", short: "v", "Say more")
private let hostname = Flag.string("hostname", short: "h", "Host name")
private let debug = Flag.boolean("debug", short: "D", "Debug").persistent()
private let secret = Flag.boolean("secret", "Not shown").hidden()

private let run = Command(
    "run", operands: "IMAGE [COMMAND] [ARG...]", arity: .atLeast(1), "Run a container",
    examples: [.init("Say hello", "box run debian echo hello")], interspersed: false,
    flags: { [interactive, tty, remove, proxy, publish, memory, name, verbose, hostname, secret] })
private let list = Command("ls", aliases: ["list", "ps"], "List", flags: { [name] })
private let rename = Command("rename", operands: "OLD NEW", arity: .exactly(2), "Rename")
private let raw = Command("raw", "Everything as it is", isHidden: true, takesRawArguments: true)
private let box = Command("box", "A box", flags: { [debug] }, subcommands: { [run, list, rename, raw] })

@Suite("Parsing a command line")
struct ParsingTests {
    @Test("clusters, joined and separate values and repeated flags mean what pflag makes of them")
    func grammar() throws {
        let line = ["run", "-itp8080:80", "-p", "9:9", "-p=1:1", "-m1g", "--name=a=b", "-vv", "--rm=false", "image"]
        let invocation = try box.parse(line)
        #expect(invocation.commandPath == "box run")
        #expect(invocation.flags[interactive] && invocation.flags[tty])
        #expect(invocation.flags[publish] == ["8080:80", "9:9", "1:1"])
        #expect(invocation.flags[memory] == 1 << 30)
        #expect(invocation.flags[name] == "a=b")
        #expect(invocation.flags[verbose] == 2)
        #expect(invocation.flags[remove] == false && invocation.flags.isSet(remove))
        #expect(invocation.flags[proxy] && !invocation.flags.isSet(proxy))
        #expect(invocation.operands == ["image"])
    }

    @Test("run stops at the image: what follows belongs to the command")
    func notInterspersed() throws {
        let invocation = try box.parse(["run", "-i", "image", "ls", "-t", "--rm"])
        #expect(invocation.operands == ["image", "ls", "-t", "--rm"])
        #expect(!invocation.flags[tty] && !invocation.flags[remove])
    }

    @Test("other commands take flags anywhere until a double dash")
    func interspersed() throws {
        let invocation = try box.parse(["rename", "a", "--", "--name"])
        #expect(invocation.operands == ["a", "--name"])
        let listing = try box.parse(["ps", "--name", "x"])
        #expect(listing.command.name == "ls")
        #expect(listing.flags.given(name) == "x")
    }

    @Test("a persistent flag may stand before and after the sub-command")
    func persistent() throws {
        #expect(try box.parse(["-D", "ls"]).flags[debug])
        #expect(try box.parse(["ls", "--debug"]).flags[debug])
    }

    @Test("a raw command gets all arguments, flags included")
    func rawArguments() throws {
        #expect(try box.parse(["raw", "--x", "-y", "--help"]).operands == ["--x", "-y", "--help"])
    }

    @Test("--help wins over missing arguments; -h too where the letter is free")
    func help() throws {
        #expect(try box.parse(["run", "--help"]).wantsHelp)
        #expect(try box.parse(["ls", "-h"]).wantsHelp)
        #expect(try box.parse(["run", "-h", "me", "image"]).flags[hostname] == "me")
    }

    @Test(
        "a bad flag is refused with pflag's text and status 125",
        arguments: [
            (["run", "--foo"], "unknown flag: --foo"),
            (["run", "-z"], "unknown shorthand flag: 'z' in -z"),
            (["run", "-itzx"], "unknown shorthand flag: 'z' in -zx"),
            (["run", "--memory"], "flag needs an argument: --memory"),
            (["run", "-im"], "flag needs an argument: 'm' in -m"),
            (["run", "-m", "1x"], "invalid argument \"1x\" for \"-m, --memory\" flag: invalid suffix: 'x'"),
            (
                ["run", "--rm=maybe"],
                "invalid argument \"maybe\" for \"--rm\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"
            ),
            (["run", "--=x"], "bad flag syntax: --=x"),
        ])
    func badFlags(line: [String], message: String) throws {
        let error = try #require(throws: UsageError.self) { try box.parse(line) }
        #expect(error.exitStatus == 125)
        #expect(
            error.description == """
                \(message)

                Usage:  box run [OPTIONS] IMAGE [COMMAND] [ARG...]

                Run 'box run --help' for more information
                """)
    }

    @Test("a wrong number of operands is refused with docker's text and status 1")
    func arity() throws {
        let few = try #require(throws: UsageError.self) { try box.parse(["run"]) }
        #expect(few.exitStatus == 1)
        #expect(
            few.description == """
                box: 'box run' requires at least 1 argument

                Usage:  box run [OPTIONS] IMAGE [COMMAND] [ARG...]

                See 'box run --help' for more information
                """)
        let exact = try #require(throws: UsageError.self) { try box.parse(["rename", "a"]) }
        #expect(exact.message == "'box rename' requires 2 arguments")
        let none = try #require(throws: UsageError.self) { try box.parse(["ls", "a"]) }
        #expect(none.message == "'box ls' accepts no arguments")
    }

    @Test("an unknown command is named")
    func unknownCommand() throws {
        let error = try #require(throws: UsageError.self) { try box.parse(["foo"]) }
        #expect(error.exitStatus == 1)
        #expect(error.description == "box: unknown command: box foo\n\nRun 'box --help' for more information")
    }

    @Test("help shows usage, aligned options, an example, and no hidden flag")
    func helpText() throws {
        let text = try box.parse(["run", "--help"]).help(width: 60)
        #expect(text.hasPrefix("Usage:  box run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun a container\n\nOptions:\n"))
        #expect(text.contains("\n  -m, --memory bytes      Memory limit\n"))
        #expect(text.contains("\n      --sig-proxy         Pass signals on (default true)\n"))
        #expect(text.contains("Example:\n  # Say hello\n  $ box run debian echo hello\n"))
        #expect(!text.contains("secret"))
        let overview = try box.parse(["--help"]).help()
        #expect(overview.contains("Commands:\n  run         Run a container\n"))
        #expect(!overview.contains("raw"))
    }
}

@Suite("Mistyped commands")
struct MistypedCommandTests {
    private static let program = Command(
        "box", "A program",
        subcommands: {
            [
                Command("run", ""), Command("rename", "", action: { _ in 0 }), Command("rm", aliases: ["remove"], ""),
                Command("ps", ""), Command("inspect", ""), Command("images", ""),
                Command("secretive", "", isHidden: true),
            ]
        })

    private func description(_ word: String) -> String {
        do {
            _ = try Self.program.parse([word])
            return ""
        } catch { return error.description }
    }

    @Test(
        "the nearest command is named",
        arguments: [
            ("runn", "'box run'"), ("rnu", "'box run'"), ("inspcet", "'box inspect'"), ("removed", "'box rm'"),
            ("image", "'box images'"), ("RUN", "'box run'"),
        ])
    func near(_ word: String, _ named: String) {
        #expect(
            description(word)
                == "box: unknown command: box \(word)\n\nDid you mean \(named)?\n\nRun 'box --help' for more information"
        )
    }

    @Test("where none is near, none is named", arguments: ["xyz", "kubernetes", "secretiv", "q"])
    func far(_ word: String) { #expect(!description(word).contains("Did you mean")) }
}
