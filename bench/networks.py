"""The part of the benchmark about networks: what a range of ports, a network, a connection and a stream of bytes cost,
beside Docker's, each daemon in a network namespace with a cable to another one that plays the world outside."""
import json
import os
import statistics
import subprocess
import sys
import time

from ground import Skip, need, run, say

RANGE = "20000-20099:20000-20099"
STREAM, ECHO = 18201, 18202  # the ports of the host that are asked
MANY = 10_000

# Accepts and closes for as long as it is let; says so when it listens.
SERVER = """
import socket
listener = socket.create_server(("0.0.0.0", 80), backlog=1024)
print("ready", flush=True)
while True:
    listener.accept()[0].close()
"""
# Connects so many times, and prints the microseconds of each until the other side's end has come.
CLIENT = """
import socket, sys, time
for number in range(int(sys.argv[3])):
    begin = time.perf_counter()
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) as connection:
        connection.recv(1)
    print((time.perf_counter() - begin) * 1e6)
"""


class Outside:
    """A network namespace with a cable to that of a process. Both ends go with it."""

    HOST, OWN = "192.0.2.2", "192.0.2.1"

    def __init__(self, pid):
        self.inside = ["nsenter", "--net=/proc/%d/ns/net" % pid]
        self.anchor = subprocess.Popen(
            [need("unshare"), "--net", "sh", "-c", "echo ready && exec sleep 100000"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE)
        self.anchor.stdout.readline()
        self.enter = [need("nsenter"), "--net=/proc/%d/ns/net" % self.anchor.pid]
        ip = need("ip")
        run(*self.inside, ip, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
            str(self.anchor.pid))
        for enter, address in ((self.inside, self.HOST), (self.enter, self.OWN)):
            run(*enter, ip, "address", "add", address + "/24", "dev", "cable")
            run(*enter, ip, "link", "set", "cable", "up")

    def close(self):
        subprocess.run([*self.inside, need("ip"), "link", "del", "cable"], check=False, capture_output=True)
        self.anchor.kill()
        self.anchor.wait()
        self.anchor.stdout.close()


class Engine:
    """An engine, and how it is asked."""

    def __init__(self, name, client, env, pid):
        self.name, self.client, self.env, self.pid = name, client, env, pid

    def ask(self, *arguments, check=True):
        return run(self.client, *arguments, env=self.env, check=check).strip()

    def processes(self):
        """How many there are in the daemon's network namespace: itself, shims, proxies."""
        count, own = 0, os.readlink("/proc/%d/ns/net" % self.pid)
        for name in os.listdir("/proc"):
            try:
                count += name.isdigit() and os.readlink("/proc/%s/ns/net" % name) == own
            except OSError:
                pass  # It has ended meanwhile.
        return count

    def timed(self, *arguments):
        """Milliseconds of a command."""
        begin = time.perf_counter()
        self.ask(*arguments)
        return (time.perf_counter() - begin) * 1000

    def start(self, name, *flags):
        """A container that sleeps; its first process."""
        self.ask("run", "-d", "--name", name, *flags, "busybox:latest", "sleep", "100000")
        return int(self.ask("inspect", "-f", "{{.State.Pid}}", name))

    def remove(self, *names):
        self.ask("rm", "-f", *names, check=False)


class Networks:
    def __init__(self, bench):
        self.bench, self.quick = bench, bench.quick
        self.engines = [Engine("masu", bench.masu, bench.masu_env, os.getpid())]
        try:
            if not hasattr(bench, "dockerd"):
                bench.start_docker()
            self.engines.append(Engine("docker", bench.docker, bench.docker_env, bench.dockerd.process.pid))
        except Skip as reason:
            bench.skip("docker", reason)
        self.results = bench.results.setdefault("networks", {})

    def measure(self):
        for what in (self.ranges, self.creations, self.streams, self.connections):
            try:
                what()
            except (Skip, OSError, subprocess.TimeoutExpired) as reason:
                self.bench.skip("networks: " + what.__name__, reason)

    def note(self, key, engine, value):
        self.results.setdefault(key, {})[engine.name] = value

    # -- ports and networks ------------------------------------------------------------------------------------------

    def ranges(self):
        for engine in self.engines:
            rounds = (3 if self.quick else 9) if engine.name == "masu" else 1
            times, more = [], 0
            for _ in range(rounds):
                engine.ask("run", "-d", "--name", "plain", "busybox:latest", "sleep", "1000")
                plain = engine.processes()
                engine.remove("plain")
                times.append(engine.timed(
                    "run", "-d", "--name", "range", "-p", RANGE, "busybox:latest", "sleep", "1000"))
                more = max(more, engine.processes() - plain)
                engine.remove("range")
            self.note("run -d -p of 100 ports, ms", engine, statistics.median(times))
            self.note("processes more for 100 ports", engine, more)

    def creations(self):
        for engine in self.engines:
            rounds = (10 if self.quick else 40) if engine.name == "masu" else 4
            times = []
            for number in range(rounds):
                times.append(engine.timed("network", "create", "bench%d" % number))
                engine.ask("network", "rm", "bench%d" % number)
            self.note("network create, ms", engine, statistics.median(times))

    # -- traffic -----------------------------------------------------------------------------------------------------

    def streams(self):
        """iperf3 from outside through a published port: from side to side in turns, the best second of each.

        What else happens on the machine takes up to a half of some seconds.
        """
        iperf = need("iperf3")
        rounds = 4 if self.quick else 16
        worlds, servers = [], []
        try:
            for engine in self.engines:
                world = Outside(engine.pid)
                worlds.append((engine, world))
                pid = engine.start("stream", "-p", "%d:5201" % STREAM)
                # In the container's network, which is all that matters here: the image has no iperf3.
                servers.append(subprocess.Popen(
                    [need("nsenter"), "--net=/proc/%d/ns/net" % pid, iperf, "-s"], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                self.wait_for(world, STREAM)
            best = {}
            for number in range(rounds):
                for engine, world in worlds if number % 2 else worlds[::-1]:
                    for direction, flags in (("in", []), ("out", ["-R"])):
                        said = json.loads(run(*world.enter, iperf, "-c", world.HOST, "-p", str(STREAM), "-t",
                                              "1", "-J", *flags))
                        rate = said["end"]["sum_received"]["bits_per_second"] / 1e9
                        key = "published port, %s, Gbit/s" % direction, engine
                        best[key] = max(best.get(key, 0), rate)
            for (key, engine), rate in best.items():
                self.note(key, engine, rate)
        finally:
            for server in servers:
                server.kill()
                server.wait()
            for engine, world in worlds:
                engine.remove("stream")
                world.close()

    @staticmethod
    def wait_for(world, port):
        """Until somebody answers there."""
        deadline = time.monotonic() + 60
        script = "import socket; socket.create_connection((%r, %d), timeout=5).close()" % (world.HOST, port)
        while time.monotonic() < deadline:
            if subprocess.run([*world.enter, sys.executable, "-c", script], check=False,
                              capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        raise Skip("nobody answers at port %d" % port)

    def connections(self):
        """Connect, read to the end, close; with one element in the map of ports, with many, and with one again."""
        engine = self.engines[0]
        world = Outside(engine.pid)
        server = None
        try:
            pid = engine.start("echo", "-p", "%d:80" % ECHO)
            server = subprocess.Popen(
                [need("nsenter"), "--net=/proc/%d/ns/net" % pid, sys.executable, "-c", SERVER],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            server.stdout.readline()
            self.wait_for(world, ECHO)
            few = [self.connect(world)]
            took = engine.timed("run", "-d", "--name", "many", "-p", "0.0.0.0:30000-%d:30000-%d" % (
                29999 + MANY, 29999 + MANY), "busybox:latest", "sleep", "100000")
            self.note("run -d -p of %d ports, ms" % MANY, engine, took)
            many = self.connect(world)
            engine.remove("many")
            few.append(self.connect(world))
            self.note("connection, 1 element, µs", engine, statistics.mean(few))
            self.note("connection, %d elements, µs" % (MANY + 1), engine, many)
        finally:
            if server:
                server.kill()
                server.wait()
                server.stdout.close()
            engine.remove("echo", "many")
            world.close()

    def connect(self, world):
        said = run(*world.enter, sys.executable, "-c", CLIENT, world.HOST, str(ECHO),
                   "500" if self.quick else "4000")
        return statistics.median(float(line) for line in said.split())

    # -- what came of it ---------------------------------------------------------------------------------------------

    def report(self):
        say()
        say("%-42s %12s %12s" % ("networks", "masu", "docker"))
        for key, row in self.results.items():
            say("%-42s %12s %12s" % (key, *(
                "%.2f" % row[name] if name in row else "" for name in ("masu", "docker"))))

    def budgets(self, promise):
        def own(key):
            return self.results.get(key, {}).get("masu")

        for key, text, limit, unit in (
                ("run -d -p of 100 ports, ms", "masu run -d -p %s ≤ 100 ms" % RANGE, 100, "ms"),
                ("processes more for 100 ports", "processes more for that: 0", 0, ""),
                ("network create, ms", "masu network create ≤ 5 ms", 5, "ms")):
            if own(key) is not None:
                promise(text, own(key), limit, unit)
        for direction in ("in", "out"):
            row = self.results.get("published port, %s, Gbit/s" % direction, {})
            if len(row) == 2:
                # The kernel carries both; they differ by noise.
                promise("a stream %s through a published port ≥ 0.95 × docker's" % direction,
                        row["masu"] / row["docker"], 0.95, "×", at_least=True)
        few, many = own("connection, 1 element, µs"), own("connection, %d elements, µs" % (MANY + 1))
        if few and many:
            promise("a connection with %d ports published ≤ 1.1 × with one" % (MANY + 1), many / few, 1.1, "×")
