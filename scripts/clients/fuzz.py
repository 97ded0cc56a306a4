"""A property-based fuzzer over the API's own description."""
import os

from ground import BIN, PROJECT, run

# The daemon may have this much memory after whatever it was asked, in KiB.
MEMORY_LIMIT = 256 << 10


def resident(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def main(report, daemon, world, python):
    daemon.busybox()
    daemon.masu_ok("network", "create", "lan")
    daemon.masu_ok("run", "-d", "--name", "web", "busybox", "sleep", "100000")
    daemon.masu_ok("create", "--name", "job", "busybox", "true")
    pid = daemon.process.pid
    before = resident(pid)
    seed, seconds = os.environ.get("MASU_FUZZ_SEED", "1"), os.environ.get("MASU_FUZZ_SECONDS", "20")
    report.heading("requests, seed %s, %s s" % (seed, seconds))
    result = run(
        python, os.path.join(PROJECT, "scripts", "clients", "with_schemathesis.py"), daemon.socket, seed, seconds,
        timeout=float(seconds) * 3 + 600)
    print("    " + "\n    ".join((result.out + result.err).strip().splitlines()[-60:]), flush=True)
    report.equal("the fuzzer ends with", result.code, 0)
    report.true("masud runs on", daemon.process.poll() is None, daemon.log_end())
    after = resident(pid)
    report.heading("masud has %d MiB, %d before" % (after >> 10, before >> 10))
    report.true("masud's memory is bounded", after < MEMORY_LIMIT, "%d KiB" % after)
    # What the fuzzer made has names that a command line does not take.
    report.equal("masu version after it", run(os.path.join(BIN, "masu"), "version", env=daemon.environment).code, 0)
