"""The part of the benchmark about logs: a container that writes as fast as it can, by us and by docker, with rotation."""
import os
import shutil
import time

from ground import Skip, need, run, say

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = 72
OPTIONS = ["--log-driver", "json-file", "--log-opt", "max-size=20m", "--log-opt", "max-file=5"]
TAIL = 10


class Logs:
    """The same container with each engine, one after the other: its time is that of the log."""

    def __init__(self, bench, measure):
        self.bench, self.stop_watch = bench, measure
        self.lines = (100_000_000 if bench.quick else 1_000_000_000) // LINE
        self.results = bench.results.setdefault("logs", {})

    def measure(self):
        bench = self.bench
        root = os.path.join(bench.work, "lines")
        os.makedirs(root)
        run(need("gcc"), "-O2", "-static", "-o", root + "/lines", os.path.join(HERE, "lines.c"))
        run("tar", "-cf", root + ".tar", "-C", root, "lines")
        self.one("masu", bench.masu, bench.masu_env, root + ".tar")
        try:
            if not hasattr(bench, "dockerd"):
                bench.start_docker()
            self.one("docker", bench.docker, bench.docker_env, root + ".tar")
        except Skip as reason:
            bench.skip("docker's log", reason)
        shutil.rmtree(root)

    def one(self, name, client, env, archive):
        run(client, "import", archive, "lines:latest", env=env)
        arguments = ["--name", "lines", "--network", "none", *OPTIONS, "lines:latest", "/lines"]
        # Whatever happens once at the first start happens now.
        run(client, "run", *arguments, "1", env=env)
        run(client, "rm", "lines", env=env)
        run("sync")
        begin = time.monotonic()
        run(client, "run", "-d", *arguments, str(self.lines), env=env)
        code = run(client, "wait", "lines", env=env, timeout=1800).strip()
        seconds = time.monotonic() - begin
        if code != "0":
            raise Skip("%s: the writer ended with %s" % (name, code))
        path = os.path.join(self.bench.work, "log-of-" + name)
        run("sh", "-c", '"$0" logs lines >"$1"', client, path, env=env, timeout=1800)
        kept, last, gaps = self.read(path)
        os.remove(path)
        tail = self.stop_watch([("tail", "%s logs --tail %d lines" % (client, TAIL))], 20, 2, env)["tail"]
        run(client, "rm", "lines", env=env)
        self.results[name] = {
            "seconds": seconds, "mb_per_s": self.lines * LINE / 1e6 / seconds, "lines_kept": kept,
            "lines_lost": gaps + (self.lines - 1 - last), "tail_ms": tail["median_ms"]}

    @staticmethod
    def read(path):
        """How many lines there are, the last one's number, and how many are missing between them."""
        kept, last, gaps = 0, None, 0
        with open(path, "rb") as file:
            for line in file:
                number = int(line[:12])
                if last is not None and number != last + 1:
                    gaps += abs(number - last - 1)
                last = number
                kept += 1
        return kept, -1 if last is None else last, gaps

    def report(self):
        say()
        say("%-46s %10s %10s %12s %12s %12s" % (
            "a log of %d MB in lines of %d bytes" % (self.lines * LINE / 1e6, LINE), "seconds", "MB/s", "lines kept",
            "lines lost", "--tail %d" % TAIL))
        for name, row in self.results.items():
            say("%-46s %8.2f s %10.0f %12d %12d %9.2f ms" % (
                name, row["seconds"], row["mb_per_s"], row["lines_kept"], row["lines_lost"], row["tail_ms"]))

    def budgets(self, promise):
        own, docker = self.results.get("masu"), self.results.get("docker")
        if own and docker:
            promise("a log ≤ 0.33 × docker's time", own["seconds"] / docker["seconds"], 0.33, "×")
        if own:
            promise("lines lost in a rotated log: 0", own["lines_lost"], 0, "lines")
            promise("logs --tail %d ≤ 20 ms" % TAIL, own["tail_ms"], 20, "ms")
