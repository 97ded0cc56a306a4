"""What the parts share: a host and a world outside in network namespaces, a private masud, and what was expected."""
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import traceback

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("MASU_BIN", os.path.join(PROJECT, "bin"))
NEW_NETWORK = 0x40000000
# No condition takes that long, however busy the machine is.
LIMIT = 180


class Missing(Exception):
    """Why a part is left out."""


class Failure(Exception):
    """Why a part cannot go on."""


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.strip()

    def __str__(self):
        return "exit code %d, output %r, errors %r" % (self.code, self.out[-600:], self.err[-600:])


def run(*command, env=None, cwd=None, input="", timeout=LIMIT):
    """Runs a command to its end, whatever its exit code is."""
    try:
        result = subprocess.run(
            command, env=env, cwd=cwd, input=input, capture_output=True, text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failure("%s does not end" % " ".join(command)) from error
    return Result(result.returncode, result.stdout, result.stderr)


def find(program):
    """The path of a program, wherever Debian puts it, or None."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def need(program):
    path = find(program)
    if not path:
        raise Missing("%s is not installed" % program)
    return path


def ok(*command, **options):
    """Runs a command that has to succeed; what it printed, without the last line's end."""
    result = run(*command, **options)
    if result.code != 0:
        raise Failure("%s: %s" % (" ".join(command), result))
    return result.text


def eventually(what, condition, limit=LIMIT):
    """Waits until `condition` gives something true, and returns that."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("this never came to be: " + what)
        time.sleep(0.05)


class Session:
    """A client that stays connected: it is given lines, and its own are kept."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, **options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            bufsize=1)
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, what, line):
        def came():
            if line in self.lines:
                return True
            if self.process.poll() is not None:
                raise Failure("%s ended with %r" % (what, self.lines))
            return False
        eventually(what, came)

    def end(self):
        self.process.terminate()
        self.process.wait()


class Report:
    """What was expected and what was not so."""

    def __init__(self, part):
        self.part, self.checks, self.problems = part, 0, 0
        self.started = time.monotonic()

    def heading(self, text):
        print("  %6.1f s  %s" % (time.monotonic() - self.started, text), flush=True)

    def bad(self, what, detail=""):
        self.problems += 1
        print("    NOT AS EXPECTED: %s%s" % (what, ": %s" % detail if detail else ""), flush=True)

    def guard(self, step):
        """Runs a step; what breaks it off is a problem, and others go on."""
        try:
            step()
        except Exception as error:  # whatever it is, it is told
            where = traceback.extract_tb(error.__traceback__)
            self.bad("%s ends at line %d" % (step.__name__, where[1].lineno if len(where) > 1 else 0), repr(error))

    def true(self, what, condition, detail=""):
        self.checks += 1
        if not condition:
            self.bad(what, detail)

    def equal(self, what, got, wanted):
        self.true(what, got == wanted, "got %r, wanted %r" % (got, wanted))

    def match(self, what, got, pattern):
        """The whole of the text matches."""
        self.true(what, re.fullmatch(pattern, got, re.DOTALL), "got %r, wanted a match of %r" % (got, pattern))

    def refused(self, what, result, code, text):
        self.true(what, result.code == code and text in result.err + result.out,
                  "%s; wanted exit code %d and %r" % (result, code, text))


class World:
    """A network namespace that plays the world outside, at the other end of the host's only cable.

    The host is the network namespace that this program is in; it must be one of its own already."""

    host, outside = "192.0.2.2", "192.0.2.1"
    host6, outside6 = "2001:db8:77::2", "2001:db8:77::1"

    def __init__(self):
        ip = need("ip")
        ok(ip, "link", "set", "lo", "up")
        self.anchor = subprocess.Popen(
            [need("unshare"), "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        self.namespace = "/proc/%d/ns/net" % self.anchor.pid
        here = os.readlink("/proc/self/ns/net")
        eventually("a second network namespace", lambda: os.readlink(self.namespace) != here)
        ok(ip, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(self.anchor.pid))
        for prefix, address, address6 in (
                ([], self.host, self.host6), (self.prefix, self.outside, self.outside6)):
            ok(*prefix, ip, "link", "set", "lo", "up")
            ok(*prefix, ip, "address", "add", address + "/24", "dev", "cable")
            ok(*prefix, ip, "address", "add", address6 + "/64", "dev", "cable", "nodad")
            ok(*prefix, ip, "link", "set", "cable", "up")
        ok(ip, "route", "add", "default", "via", self.outside)
        ok(ip, "-6", "route", "add", "default", "via", self.outside6)

    @property
    def prefix(self):
        """The beginning of a command that runs outside."""
        return [need("nsenter"), "--net=" + self.namespace]

    def connect(self, address, port):
        """A connection that begins outside; from then on it can be used from anywhere."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as here, open(self.namespace, "rb") as there:
            if libc.setns(there.fileno(), NEW_NETWORK) != 0:
                raise Failure("cannot enter the world outside: %s" % os.strerror(ctypes.get_errno()))
            try:
                return socket.create_connection((address, port), timeout=LIMIT)
            finally:
                if libc.setns(here.fileno(), NEW_NETWORK) != 0:
                    os._exit(70)  # nothing may go on in the wrong namespace


class Daemon:
    """A masud on private roots below `directory`."""

    def __init__(self, directory):
        self.directory = directory
        self.socket = os.path.join(directory, "run", "masu.sock")
        self.address = "unix://" + self.socket
        self.process = None
        with open(os.path.join(directory, "daemon.json"), "w") as file:
            file.write("{}")
        # Programs read their settings from here, not from the home of who runs this.
        home = os.path.join(directory, "home")
        os.makedirs(home)
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": home, "DOCKER_CONFIG": home + "/.docker",
            "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp",
            "DOCKER_HOST": self.address, "MASU_HOST": self.address}
        self.start()

    def start(self):
        directory = self.directory
        with open(os.path.join(directory, "masud.log"), "a") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "masud"), "--data-root", directory + "/data", "--exec-root", directory + "/run",
                 "--pidfile", directory + "/run/masud.pid", "--config-file", directory + "/daemon.json",
                 "--cgroup-parent", "/" + os.path.basename(directory), "-H", self.address],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

        def answers():
            if self.process.poll() is not None:
                raise Failure("masud does not start: " + self.log_end())
            return self.masu("version").code == 0

        eventually("masud answers", answers)

    def log_end(self):
        with open(os.path.join(self.directory, "masud.log")) as file:
            return file.read()[-2000:].strip()

    def crash(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """The exit code of a daemon that is told to end."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)

    def masu(self, *arguments, **options):
        return run(os.path.join(BIN, "masu"), *arguments, env=self.environment, **options)

    def masu_ok(self, *arguments, **options):
        return ok(os.path.join(BIN, "masu"), *arguments, env=self.environment, **options)

    def pid(self, container):
        """The container's init."""
        return self.masu_ok("inspect", "-f", "{{.State.Pid}}", container)

    def busybox(self):
        """Makes the image `busybox`."""
        archive = os.path.join(self.directory, "busybox.tar")
        ok(os.path.join(PROJECT, "scripts", "root-tar"), "busybox", archive)
        self.masu_ok("import", "--change", 'CMD ["sh"]', archive, "busybox:latest")

    def clear(self):
        """Removes all containers and all networks that somebody made."""
        def no_container():
            containers = self.masu_ok("ps", "-aq").split()
            # One may be on its way already: the client of `run --rm` has asked for that.
            return not containers or self.masu("rm", "-f", *containers).code == 0

        eventually("no container is left", no_container)
        networks = self.masu_ok("network", "ls", "-q", "--filter", "type=custom").split()
        if networks:
            self.masu_ok("network", "rm", *networks)

    def end(self, report):
        """Removes everything, ends the daemon, and looks for what is left."""
        report.heading("removal")
        self.clear()
        # The kernel takes its time over interfaces whose namespace is gone.
        eventually("no interface is left", lambda: not [
            name for name in os.listdir("/sys/class/net") if name.startswith(("ms", "br-"))])
        eventually("no published port is left", lambda: not ok(need("ss"), "--no-header", "-ltun"))
        bridge = self.masu_ok("network", "inspect", "-f", "{{.Id}}", "bridge")
        rules = ok(need("nft"), "list", "table", "inet", "masu")
        # Rules have comments, too, in words.
        owners = {name for name in re.findall('comment "(.*?)"', rules) if re.fullmatch("[0-9a-f]{64}", name)}
        report.equal("whose elements are left in the packet filter", owners, {bridge})
        report.equal("masud ends with", self.stop(), 0)
