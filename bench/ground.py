"""What the parts of the benchmark share: commands, processes and their memory, daemons on private roots."""
import ctypes
import glob
import os
import shutil
import signal
import subprocess
import time


class Skip(Exception):
    """Why something is left out."""


def say(text=""):
    print(text, flush=True)


def run(*command, env=None, check=True, timeout=300, **options):
    """Runs a command to its end; its words become the error's words."""
    result = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **options)
    if check and result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["exit code %d" % result.returncode]
        raise Skip("%s: %s" % (os.path.basename(command[0]), said[0][:200]))
    return result.stdout


def leave_the_network():
    """From here on this program, and all it starts, is in a network namespace of its own with nothing but loopback:
    daemons make bridges and rules, which are not for the machine's own network."""
    new_network = 0x40000000
    if ctypes.CDLL(None, use_errno=True).unshare(new_network) != 0:
        raise Skip("cannot make a network namespace: %s" % os.strerror(ctypes.get_errno()))
    run(need("ip"), "link", "set", "lo", "up")


def need(program):
    """The path of a peer, wherever Debian puts it."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip("%s is not installed" % program)
    return path


def own(pid, mark):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as file:
            return mark.encode() in file.read()
    except OSError:
        return False


def processes(mark, program=None):
    """Pids whose command line holds `mark`, of that program if one is named."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        pid = int(path[6:])
        if pid == os.getpid() or not own(pid, mark):
            continue
        try:
            # Not the path of its file, which may be a sealed copy; the kernel keeps 15 letters of the name.
            with open(path + "/comm") as file:
                name = file.read().strip()
        except OSError:
            continue
        if program is None or name == program[:15]:
            found.append(pid)
    return found


def memory_of(pid):
    """KiB of one process: what it holds, its share, what is its alone."""
    numbers = {"rss": 0, "pss": 0, "private": 0}
    with open("/proc/%d/smaps_rollup" % pid) as file:
        for line in file:
            key, _, value = line.partition(":")
            if key == "Rss":
                numbers["rss"] += int(value.split()[0])
            elif key == "Pss":
                numbers["pss"] += int(value.split()[0])
            elif key in ("Private_Clean", "Private_Dirty"):
                numbers["private"] += int(value.split()[0])
    return numbers


def mean_memory(pids):
    all_of_them = [memory_of(pid) for pid in pids]
    return {key: sum(numbers[key] for numbers in all_of_them) / len(all_of_them) for key in all_of_them[0]}


class Daemon:
    """A daemon on private roots, by pid."""

    def __init__(self, name, directory, command, ready, env):
        self.name, self.directory, self.env = name, directory, env
        self.log = open(os.path.join(directory, name + ".log"), "w")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                with open(self.log.name) as log:
                    said = log.read().strip().splitlines()[-1:] or ["nothing in its log"]
                raise Skip("%s does not start: %s" % (name, said[0][:300]))
            try:
                run(*ready, env=env, timeout=20)
                return
            except (Skip, subprocess.TimeoutExpired):
                time.sleep(0.05)

    def stop(self):
        """SIGTERM, a while, SIGKILL; then whatever of its children is still there, each by its pid."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for _ in range(50):
            left = processes(self.directory)
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)
        self.log.close()
