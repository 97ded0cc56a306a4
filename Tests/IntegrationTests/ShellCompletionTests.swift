import Foundation
import Testing

extension Integration {
    /// What shells make of the scripts of `masu completion`. Bash is among the tests of ``DaemonChoiceTests``.
    @Suite("completion by shells")
    struct ShellCompletionTests {
        /// A shell that runs a script, with `masu` in its path.
        private func run(_ shell: String, _ arguments: [String], _ daemon: TestDaemon) throws -> Command.Result {
            symlink(Programs.directory, daemon.root + "/bin")
            var command = daemon.command(.masu, [])
            command.path = try #require(Programs.find(shell))
            command.arguments = arguments
            command.environment["PATH"] = daemon.root + "/bin:/usr/local/bin:/usr/bin:/bin"
            return try command.runToEnd()
        }

        @Test(
            "zsh completes commands, flags and the daemon's objects",
            .enabled(if: Programs.find("zsh") != nil, "needs zsh"))
        func zsh() throws {
            // A zsh at a terminal, where a key completes the line and shows it.
            let script = #"""
                zmodload zsh/zpty
                zpty terminal "TERM=dumb zsh -f -i"
                zpty -w terminal 'PS1=; show() { zle complete-word; print -r -- "<$BUFFER>"; BUFFER=; }; zle -N show;
                bindkey "^T" show; autoload -Uz compinit; compinit -u -D; source <(masu completion zsh);
                print -r READY$((1))'
                zpty -r terminal out '*READY1*'
                for line in 'masu conta' 'masu run --hostn' 'masu rm sto' 'masu rmi busybox:la' 'masu load --inp'; do
                    zpty -w -n terminal "$line"$'\x14'
                    zpty -r terminal out '*<masu*>*'
                    print -r -- "${${out##*<}%%>*}"
                done
                zpty -d terminal
                """#
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "stopped-one", "busybox", "true")
                let result = try run("zsh", ["-f", "-c", script], daemon)
                #expect(
                    result.lines == [
                        "masu container ", "masu run --hostname ", "masu rm stopped-one ", "masu rmi busybox:latest ",
                        "masu load --input ",
                    ], "\(result)")
            }
        }

        @Test(
            "fish completes commands, flags, files and the daemon's objects",
            .enabled(if: Programs.find("fish") != nil, "needs fish"))
        func fish() throws {
            let script = #"""
                source (masu completion fish | psub)
                for line in "masu conta" "masu run --hostn" "masu rm sto" "masu rmi busybox:la" "masu load -i arch"
                    echo "$line: "(complete -C $line | string replace -r '\t.*' '' | string join ' ')
                end
                """#
            try withDaemon { daemon in
                try daemon.ok(.masu, "create", "--name", "stopped-one", "busybox", "true")
                let result = try run(
                    "fish", ["--no-config", "-c", "cd \(daemon.root); touch archive; " + script], daemon)
                #expect(
                    result.lines == [
                        "masu conta: container", "masu run --hostn: --hostname", "masu rm sto: stopped-one",
                        "masu rmi busybox:la: busybox:latest", "masu load -i arch: archive",
                    ], "\(result)")
            }
        }
    }
}
