"""The part of the benchmark about commits: a container with a large change, by us, by an earlier Masu, beside what the digest alone takes."""
import os
import shutil
import statistics
import subprocess
import time

from ground import Daemon, run


class Commit:
    """Every run commits a container of its own: the second commit of the same one is another thing.

    MASU_BENCH_BEFORE: a directory with the programs of an earlier commit of the project; they take turns with ours.
    """

    def __init__(self, bench, program):
        self.bench = bench
        self.size = 256 if bench.quick else 2048  # MiB
        self.rounds = 2 if bench.quick else 3
        self.peers = {"masu commit": os.path.dirname(program("masu"))}
        before = os.environ.get("MASU_BENCH_BEFORE")
        if before:
            self.peers["masu commit before"] = before
        self.results = bench.results.setdefault("commit", {})

    def measure(self):
        times = {}
        daemons = {}
        try:
            for name, directory in self.peers.items():
                daemons[name] = self.start(name, directory)
            for _ in range(self.rounds):
                for state in ("stopped", "running"):
                    for name, (client, env) in daemons.items():
                        times.setdefault("%s, %s" % (name, state), []).append(self.one(client, env, state))
                times.setdefault("tar | sha256sum of the change", []).append(self.floor())
        finally:
            for name in self.peers:
                shutil.rmtree(self.place(name) + "/data", ignore_errors=True)
        for name, all_of_it in times.items():
            self.results[name] = {
                "median_ms": statistics.median(all_of_it), "mean_ms": statistics.mean(all_of_it),
                "min_ms": min(all_of_it)}

    def place(self, name):
        return os.path.join(self.bench.work, name.replace(" ", "-"))

    def start(self, name, directory):
        place = self.place(name)
        os.makedirs(place + "/run")
        with open(place + "/daemon.json", "w") as file:
            file.write("{}\n")
        client = os.path.join(directory, "masu")
        env = dict(self.bench.masu_env, MASU_HOST="unix://%s/run/masu.sock" % place)
        self.bench.daemons.append(Daemon(
            name, place,
            [os.path.join(directory, "masud"), "--data-root", place + "/data", "--exec-root", place + "/run",
             "--pidfile", place + "/run/masud.pid", "--config-file", place + "/daemon.json", "--cgroup-parent",
             "/" + self.bench.cgroup, "-H", env["MASU_HOST"]],
            [client, "version"], env))
        run(client, "import", self.bench.busybox_tar, "busybox:latest", env=env)
        return client, env

    def one(self, client, env, state):
        """Milliseconds of one commit, with nothing left to be written to the disk before."""
        write = "dd if=/dev/urandom of=/big bs=1M count=%d 2>/dev/null" % self.size
        run(client, "run", "-d", "--name", "changed", "--network", "none", "busybox:latest", "sh", "-c",
            write + "; touch /ready; sleep 10000", env=env)
        while subprocess.run([client, "exec", "changed", "test", "-e", "/ready"], env=env, check=False,
                             capture_output=True).returncode != 0:
            time.sleep(0.2)
        if state == "stopped":
            run(client, "stop", "-t", "0", "changed", env=env)
        run("sync")
        begin = time.monotonic()
        run(client, "commit", "changed", "made:1", env=env)
        taken = (time.monotonic() - begin) * 1000
        # Saving waits for whatever is written in the background; it must not slow down the next one.
        run("sh", "-c", '"$0" save made:1 >/dev/null', client, env=env)
        run(client, "rm", "-f", "changed", env=env)
        run(client, "rmi", "made:1", env=env)
        return taken

    def floor(self):
        directory = os.path.join(self.bench.work, "commit-floor")
        os.makedirs(directory, exist_ok=True)
        try:
            run("dd", "if=/dev/urandom", "of=%s/big" % directory, "bs=1M", "count=%d" % self.size)
            run("sync")
            begin = time.monotonic()
            run("sh", "-c", "tar -C \"$0\" -c . | sha256sum", directory)
            return (time.monotonic() - begin) * 1000
        finally:
            shutil.rmtree(directory)

    def report(self):
        self.bench.table(
            "commit of a change of %d MiB" % self.size, self.results,
            ["masu commit, stopped", "tar | sha256sum of the change"])

    def budgets(self, promise):
        own, before = (self.results.get(name) for name in ("masu commit, stopped", "masu commit before, stopped"))
        if own and before:
            promise("commit ≤ 0.33 × that of before", own["median_ms"] / before["median_ms"], 0.33, "×")
        floor = self.results.get("tar | sha256sum of the change")
        if own and floor:
            promise("commit ≤ 2 × tar | sha256sum", own["median_ms"] / floor["median_ms"], 2, "×")
