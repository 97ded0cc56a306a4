// `masu-init -- COMMAND [ARG ...]`: PID 1 of a container that was started with `--init`.
//
// A program that runs as PID 1 has no default action for signals and inherits every orphan of its container. Few
// programs are written for that. This one runs as PID 1 instead: it starts the command, passes every signal on to it,
// reaps orphans, and ends with the command's exit status.

import BuildInformation
import CLinux
import Glibc

/// Signals a process raises by its own fault or that job control sends to its caller: these are not passed on.
let ownSignals: [Int32] = [SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU]

func complain(_ message: String) {
    let line = "masu-init: \(message)\n"
    _ = line.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Starts `command` in a process group of its own, in the foreground of the terminal if there is one, with the signal
/// mask and dispositions that this process was given.
///
/// - Returns: its pid, or the error that kept it from being executed.
func spawn(_ command: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, mask: sigset_t) -> (pid: pid_t, error: Int32)
{
    guard let program = command.pointee else { return (-1, EINVAL) }
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_init(&actions)
    defer {
        posix_spawnattr_destroy(&attributes)
        posix_spawn_file_actions_destroy(&actions)
    }
    var mask = mask
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGTTIN)
    sigaddset(&defaults, SIGTTOU)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
    posix_spawnattr_setflags(&attributes, Int16(flags))
    if isatty(STDIN_FILENO) == 1 {
        posix_spawn_file_actions_addtcsetpgrp_np(&actions, STDIN_FILENO)
    }
    var pid: pid_t = -1
    let error = posix_spawnp(&pid, program, &actions, &attributes, command, Glibc.environ)
    return (pid, error)
}

/// Reaps all children that have ended.
///
/// - Returns: the wait status of `child` if it is among them.
func reap(_ child: pid_t) -> Int32? {
    var result: Int32?
    var status: Int32 = 0
    while true {
        let pid = waitpid(-1, &status, WNOHANG)
        if pid == child { result = status }
        if pid <= 0 { return result }
    }
}

func exitCode(_ status: Int32) -> Int32 {
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
}

masu_secure_standard_streams()
let arguments = CommandLine.arguments
if arguments.count == 2, arguments[1] == "--version" {
    let line = "masu-init version \(MasuVersion.version)\n"
    let written = line.utf8.withContiguousStorageIfAvailable { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    if written == line.utf8.count { exit(0) }
    complain("write /dev/stdout: \(String(cString: strerror(errno)).lowercased())")
    exit(1)
}
let first = arguments.count > 1 && arguments[1] == "--" ? 2 : 1
guard arguments.count > first else {
    complain("usage: masu-init -- COMMAND [ARG ...]")
    exit(1)
}

var forwarded = sigset_t()
var inherited = sigset_t()
sigfillset(&forwarded)
for signal in ownSignals { sigdelset(&forwarded, signal) }
sigprocmask(SIG_SETMASK, &forwarded, &inherited)
// Taking the terminal's foreground for the command would stop a background process group otherwise.
signal(SIGTTIN, SIG_IGN)
signal(SIGTTOU, SIG_IGN)

if getpid() != 1 {
    // Not in a pid namespace of our own (`--pid=host`): orphans come to us only if we ask for them.
    _ = masu_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

let (child, error) = spawn(CommandLine.unsafeArgv + first, mask: inherited)
guard error == 0 else {
    complain("exec \(arguments[first]): \(String(cString: strerror(error)))")
    exit(error == ENOENT ? 127 : 126)
}

while true {
    var information = siginfo_t()
    let signal = sigwaitinfo(&forwarded, &information)
    switch signal {
    case SIGCHLD:
        if let status = reap(child) { exit(exitCode(status)) }
    case 1...:
        // The command may have ended in this moment: then its SIGCHLD is on the way.
        kill(child, signal)
    default:
        continue
    }
}
