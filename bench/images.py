"""The part "images" of the benchmark: pull, push, save, load and unpack an image of about 300 MB, beside docker and
podman.

The image is made of this machine's own Debian packages, once, and kept beside the root of scripts/root-tar. Everything
that is measured lies in one file system and talks over the loopback of one network namespace, both made for it: all
meet the same files and the same registry, and no port of the machine is taken.
"""
import fcntl
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import tarfile
import threading
import time

from ground import Daemon, Skip, need, processes, run, say

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHELF, EMPTY = "127.0.0.1:5000", "127.0.0.1:5001"  # The registry to pull from, and the one that has nothing yet.
MIDDLE = 540 << 20  # Bytes of the middle layer's files: about 200 MB compressed.
ROOM = 9 << 30  # Bytes that all of them together need at the worst.
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


# -- the image ---------------------------------------------------------------------------------------------------------


def package_files():
    """Files of installed packages, compilers and interpreters first, until they are MIDDLE bytes; sorted."""
    rows = run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Installed-Size} ${Package}:${Architecture}\n")
    packages = []
    for row in rows.splitlines():
        state, size, name = row.split()
        if state == "installed":
            wanted = name.startswith(("gcc", "g++", "cpp", "libgcc", "libstdc++", "libc6", "binutils", "python3",
                                      "libpython3", "perl", "libperl", "git"))
            # The others large ones first; above a certain size a package is hardly typical.
            packages.append((not wanted, int(size) > 150_000, 0 if wanted else -int(size), name))
    files, room = set(), MIDDLE
    for *_, name in sorted(packages):
        here = {}
        for path in run("dpkg-query", "-L", name.removesuffix(":all")).splitlines():
            # Where the directory really is: /lib is a link here, and must not become a directory in the image.
            path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            if path.startswith("/usr/") and not path.startswith("/usr/share/doc") and path not in files:
                if os.path.islink(path) or os.path.isdir(path):
                    here[path] = 0
                elif os.path.isfile(path):
                    here[path] = os.path.getsize(path)
        if sum(here.values()) <= room:
            room -= sum(here.values())
            files.update(here)
        if room < MIDDLE >> 6:
            break
    return sorted(files)


def store(layout, data):
    """A small blob; its descriptor without the type."""
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs/sha256", digest), "wb") as file:
        file.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def compress(layout, command, source=None):
    """The output of a command becomes a layer: its descriptor and the digest of what was compressed."""
    fast = shutil.which("pigz")
    draft = os.path.join(layout, "draft-%d" % threading.get_ident())
    plain = hashlib.sha256()
    with open(draft, "wb") as file:
        tar = subprocess.Popen(command, stdin=subprocess.PIPE if source else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        gzip = subprocess.Popen([fast or "gzip", "-n", "-6"], stdin=subprocess.PIPE, stdout=file)
        if source:
            feeder = threading.Thread(target=lambda: (tar.stdin.write(source), tar.stdin.close()))
            feeder.start()
        while piece := tar.stdout.read(1 << 20):
            plain.update(piece)
            gzip.stdin.write(piece)
        gzip.stdin.close()
        if tar.wait() != 0 or gzip.wait() != 0:
            raise Skip("%s does not make a layer" % " ".join(command[:4]))
    with open(draft, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    os.rename(draft, os.path.join(layout, "blobs/sha256", digest))
    size = os.path.getsize(os.path.join(layout, "blobs/sha256", digest))
    return {"mediaType": LAYER, "digest": "sha256:" + digest, "size": size}, "sha256:" + plain.hexdigest()


def compose(layout, name, layers):
    """Puts layers together to an image of that name."""
    config = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
              "os": "linux", "config": {"Cmd": ["/bin/sh"]},
              "rootfs": {"type": "layers", "diff_ids": [identity for _, identity in layers]}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, **store(layout, json.dumps(config).encode())},
                "layers": [descriptor for descriptor, _ in layers]}
    entry = {"mediaType": MANIFEST, **store(layout, json.dumps(manifest).encode()),
             "annotations": {"org.opencontainers.image.ref.name": name}}
    path = os.path.join(layout, "index.json")
    index = {"schemaVersion": 2, "manifests": []}
    if os.path.exists(path):
        with open(path) as file:
            index = json.load(file)
    index["manifests"].append(entry)
    with open(path, "w") as file:
        json.dump(index, file)


def new_layout(path):
    os.makedirs(os.path.join(path, "blobs/sha256"))
    with open(os.path.join(path, "oci-layout"), "w") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')


def image():
    """The OCI layout of the image "big", made once; and its layers, with the digests of what is in them."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "masu")
    layout = os.path.join(cache, "bench-image-1")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, ".bench-image.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(layout):
            say("    making the image of this machine's packages, once …")
            make_image(layout)
    blob = lambda descriptor: os.path.join(layout, "blobs", descriptor["digest"].replace(":", "/"))
    with open(os.path.join(layout, "index.json")) as file:
        index = json.load(file)
    with open(blob(index["manifests"][0])) as file:
        manifest = json.load(file)
    with open(blob(manifest["config"])) as file:
        identities = json.load(file)["rootfs"]["diff_ids"]
    return layout, list(zip(manifest["layers"], identities))


def make_image(layout):
    root = run(os.path.join(PROJECT, "scripts/root-tar"), "debian", timeout=1000).strip()
    draft = layout + ".making"
    shutil.rmtree(draft, ignore_errors=True)
    new_layout(draft)
    try:
        tar = ["tar", "--numeric-owner", "-C", "/", "-c"]
        files = "\0".join(path.lstrip("/") for path in package_files()).encode()
        sources = [(["cat", root], None),
                   (tar + ["--no-recursion", "--null", "--verbatim-files-from", "-T", "-"], files),
                   (tar + ["--sort=name", "usr/share/doc"], None)]
        layers = [compress(draft, command, source) for command, source in sources]
        compose(draft, "big", layers)
        os.rename(draft, layout)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def equal_layers(layout, path, count):
    """Layers that differ from that one in a directory of their own: a member of gzip before its members."""
    plain = [hashlib.sha256() for _ in range(count)]
    heads = []
    for number in range(count):
        entry = tarfile.TarInfo("layer-%d" % number)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        head = entry.tobuf()
        plain[number].update(head)
        heads.append(subprocess.run(["gzip", "-n"], input=head, stdout=subprocess.PIPE, check=True).stdout)
    inflate = subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE)
    while piece := inflate.stdout.read(1 << 20):
        for hasher in plain:
            hasher.update(piece)
    if inflate.wait() != 0:
        raise Skip("%s cannot be read again" % path)
    layers = []
    for head, hasher in zip(heads, plain):
        draft = os.path.join(layout, "draft")
        with open(draft, "wb") as file, open(path, "rb") as rest:
            file.write(head)
            shutil.copyfileobj(rest, file, 1 << 20)
        with open(draft, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.rename(draft, os.path.join(layout, "blobs/sha256", digest))
        layers.append(({"mediaType": LAYER, "digest": "sha256:" + digest, "size": os.path.getsize(path) + len(head)},
                       "sha256:" + hasher.hexdigest()))
    return layers


# -- who is measured ---------------------------------------------------------------------------------------------------


class Network:
    """A network namespace with a loopback, for as long as this process lives in it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [need("unshare"), "--net", "sh", "-c", 'ip link set lo up && echo up && exec sleep 100000'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)
        if self.process.stdout.readline() != "up\n":
            self.stop()
            raise Skip("no network namespace can be made here")
        self.prefix = [need("nsenter"), "--net=/proc/%d/ns/net" % self.process.pid]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Client:
    """One of those that pull, with a daemon or without."""

    def __init__(self, name, command, env, directory, insecure=()):
        self.name, self.command, self.env, self.directory = name, command, env, directory
        self.insecure = list(insecure)
        self.daemon = None

    def cpu(self):
        """Seconds of processor that its daemons, their children that have ended, and our own have used."""
        ticks = 0
        for pid in processes(self.directory) if self.daemon else []:
            try:
                with open("/proc/%d/stat" % pid) as file:
                    ticks += sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
            except OSError:
                pass  # It has ended since, and its parent counts it.
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ticks / os.sysconf("SC_CLK_TCK") + children.ru_utime + children.ru_stime

    def call(self, *arguments):
        run(*self.command, *arguments, env=self.env, timeout=600)

    def timed(self, *arguments):
        used, started = self.cpu(), time.monotonic()
        self.call(*arguments)
        return {"s": time.monotonic() - started, "cpu_s": self.cpu() - used}

    def forget(self, *names):
        for name in names:
            self.call("rmi", "-f", name)
        self.call("system", "prune", "-a", "-f")


class Images:
    def __init__(self, bench, program):
        self.bench, self.program = bench, program
        self.rounds = 2 if bench.quick else 5
        self.results = bench.results["images"]
        self.directory = os.path.join(bench.work, "images")
        self.clients = []

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def measure(self):
        try:
            self.prepare()
            self.compare()
            self.unpack()
        except Skip as reason:
            self.bench.skip("images", reason)

    # -- the ground ------------------------------------------------------------------------------------------------

    def prepare(self):
        skopeo = need("skopeo")
        layout, self.layers = image()
        self.results["layers_mb"] = [descriptor["size"] / 1e6 for descriptor, _ in self.layers]
        say("    an image of %d MB in layers of %s MB" % (
            sum(self.results["layers_mb"]), ", ".join("%d" % size for size in self.results["layers_mb"])))
        def blob(descriptor):
            return os.path.join(layout, "blobs", descriptor["digest"].replace(":", "/"))

        largest = max(self.layers, key=lambda pair: pair[0]["size"])
        self.layer = blob(largest[0])
        self.make_ground()
        self.network = Network()
        self.bench.daemons.append(self.network)
        self.registry("shelf", SHELF)
        more = self.path("layout")
        new_layout(more)
        shutil.copy(self.layer, os.path.join(more, "blobs/sha256"))
        compose(more, "large", [largest])
        equal = equal_layers(more, blob(self.layers[0][0]), 4)
        compose(more, "one", equal[:1])
        compose(more, "four", equal)
        for source, name in ((layout, "big"), (more, "large"), (more, "one"), (more, "four")):
            run(*self.network.prefix, skopeo, "copy", "--dest-tls-verify=false", "oci:%s:%s" % (source, name),
                "docker://%s/bench/%s:1" % (SHELF, name), timeout=600)
        shutil.rmtree(more)
        for start in (self.start_masu, self.start_docker, self.start_podman):
            try:
                self.clients.append(start())
            except Skip as reason:
                self.bench.skip(start.__name__.removeprefix("start_") + " (images)", reason)

    def make_ground(self):
        """A file system in memory, for everybody's files.

        It is programs that are compared, not how busy the disk was when their turn came. And ext4 without a journal,
        which machines for one build often have, looks at every inode that was freed in the last minutes before it gives
        one out: rounds that remove ten thousands of files would measure that alone.
        """
        with open("/proc/meminfo") as file:
            available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
        if available < ROOM >> 10:
            raise Skip("%d GiB of free memory are needed" % (ROOM >> 30))
        os.makedirs(self.directory)
        run("mount", "-t", "tmpfs", "-o", "size=%d,mode=755" % ROOM, "masu-bench", self.directory)
        os.mkdir(self.path("tmp"))

    def registry(self, name, address):
        directory = self.path(name)
        os.makedirs(directory)
        daemon = Daemon(
            "masu-registry", directory,
            [*self.network.prefix, self.program("masu-registry"), "--root", directory + "/data", "--listen", address],
            [*self.network.prefix, need("curl"), "-sf", "http://%s/v2/" % address], None)
        self.bench.daemons.append(daemon)
        return daemon

    def start_masu(self):
        directory = self.path("masu")
        os.makedirs(directory + "/run")
        with open(directory + "/daemon.json", "w") as file:
            file.write("{}\n")
        env = dict(self.bench.masu_env, MASU_HOST="unix://%s/run/masu.sock" % directory)
        client = Client("masu", [self.program("masu")], env, directory)
        client.daemon = Daemon(
            "masud", directory,
            [*self.network.prefix, self.program("masud"), "--data-root", directory + "/data", "--exec-root",
             directory + "/run", "--pidfile", directory + "/run/masud.pid", "--config-file", directory + "/daemon.json",
             "--cgroup-parent", "/" + self.bench.cgroup, "-H", env["MASU_HOST"]],
            [*client.command, "version"], env)
        self.bench.daemons.append(client.daemon)
        return client

    def start_docker(self):
        directory = self.path("docker")
        os.makedirs(directory)
        need("containerd")
        with open(directory + "/daemon.json", "w") as file:
            file.write("{}\n")
        env = dict(self.bench.docker_env, DOCKER_HOST="unix://%s/docker.sock" % directory)
        client = Client("docker", [need("docker")], env, directory)
        client.daemon = Daemon(
            "dockerd", directory,
            [*self.network.prefix, need("unshare"), "--mount", "--propagation", "private", need("dockerd"),
             "--data-root", directory + "/data", "--exec-root", directory + "/run", "--pidfile",
             directory + "/docker.pid", "--config-file", directory + "/daemon.json", "--cgroup-parent",
             "/" + self.bench.cgroup, "-H", env["DOCKER_HOST"]],
            [*client.command, "version"], env)
        self.bench.daemons.append(client.daemon)
        return client

    def start_podman(self):
        directory = self.path("podman")
        os.makedirs(directory)
        command = [*self.network.prefix, need("podman"), "--root", directory + "/data", "--runroot", directory + "/run",
                   "--tmpdir", directory + "/tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        # Where it keeps blobs in between.
        env = dict(os.environ, TMPDIR=self.path("tmp"))
        client = Client("podman", command, env, directory, insecure=["--tls-verify=false"])
        client.call("images")
        return client

    # -- pull, push, save, load --------------------------------------------------------------------------------------

    def compare(self):
        """All of them in turns, in an order that is drawn anew for each round."""
        samples = {}
        for number in range(self.rounds):
            for client in random.sample(self.clients, len(self.clients)):
                try:
                    # The slower ones of these jobs in every second round.
                    self.cycle(client, number % 2 == 0, samples)
                except (Skip, subprocess.TimeoutExpired) as reason:
                    self.bench.skip(client.name + " (images)", reason)
                    self.clients.remove(client)
        self.gather(samples)

    def cycle(self, client, is_whole, samples):
        def note(job, sample):
            samples.setdefault(job, {}).setdefault(client.name, []).append(sample)

        pulled, pushed = "%s/bench/big:1" % SHELF, "%s/bench/big:1" % EMPTY
        archive = self.path("tmp", client.name + ".tar")
        if client.name == "masu":
            note("pull", self.with_memory(client, "pull", "-q", pulled))
        else:
            note("pull", client.timed("pull", "-q", *client.insecure, pulled))
        if is_whole:
            client.call("tag", pulled, pushed)
            note("save", client.timed("save", "-o", archive, pulled))
            registry = self.registry("empty", EMPTY)
            try:
                note("push", client.timed("push", "-q", *client.insecure, pushed))
            finally:
                self.bench.daemons.remove(registry)
                registry.stop()
                shutil.rmtree(self.path("empty"))
            client.forget(pushed, pulled)
            note("load", client.timed("load", "-q", "-i", archive))
            os.remove(archive)
        client.forget(pulled)

    def with_memory(self, client, *arguments):
        """Also how far the daemon's memory rises; the kernel keeps the highest mark since it was told to forget it."""
        process = "/proc/%d/" % client.daemon.process.pid

        def memory(mark):
            with open(process + "status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith(mark))

        with open(process + "clear_refs", "w") as file:
            file.write("5")
        before = memory("VmRSS")
        sample = client.timed(*arguments)
        return dict(sample, rise_kib=memory("VmHWM") - before)

    # -- layers ------------------------------------------------------------------------------------------------------

    def unpack(self):
        masu = next((client for client in self.clients if client.name == "masu"), None)
        if masu is None:
            return
        large, one, four = ("%s/bench/%s:1" % (SHELF, name) for name in ("large", "one", "four"))
        archive = self.path("tmp/large.tar")
        masu.call("pull", "-q", large)
        masu.call("save", "-o", archive, large)
        masu.forget(large)
        files = self.path("files")
        shell = Client("igzip -dc | tar x", ["sh", "-c"], None, files)
        try:
            igzip = "%s -dc %s | tar -x -C %s" % (need("igzip"), self.layer, files)
        except Skip as reason:
            self.bench.skip("igzip | tar", reason)
            igzip = None

        def by_tar():
            os.mkdir(files)
            try:
                return shell.timed(igzip)
            finally:
                shutil.rmtree(files)

        def by_masu(image, *arguments):
            try:
                return masu.timed(*arguments)
            finally:
                masu.forget(image)

        self.turns("large layer", [
            ("igzip -dc | tar x", by_tar if igzip else None),
            ("masu pull", lambda: by_masu(large, "pull", "-q", large)),
            ("masu load", lambda: by_masu(large, "load", "-q", "-i", archive))])
        self.turns("equal layers", [
            ("masu pull, 1 layer", lambda: by_masu(one, "pull", "-q", one)),
            ("masu pull, 4 layers", lambda: by_masu(four, "pull", "-q", four))])

    def turns(self, title, jobs):
        jobs = [(name, job) for name, job in jobs if job]
        samples = {name: [] for name, _ in jobs}
        for _ in range(self.rounds):
            for name, job in random.sample(jobs, len(jobs)):
                samples[name].append(job())
        self.gather({title: samples})

    # -- what came of it ---------------------------------------------------------------------------------------------

    def gather(self, samples):
        for job, by_name in samples.items():
            self.results[job] = {
                name: {"median_s": statistics.median(sample["s"] for sample in of_one),
                       "min_s": min(sample["s"] for sample in of_one), "runs": len(of_one),
                       "cpu_s": statistics.median(sample["cpu_s"] for sample in of_one),
                       "times_s": [sample["s"] for sample in of_one]}
                for name, of_one in sorted(by_name.items(), key=lambda pair: pair[0] != "masu")
            }
            rises = [sample["rise_kib"] for sample in by_name.get("masu", []) if "rise_kib" in sample]
            if rises:
                self.results["rise_kib"] = max(rises)

    def report(self):
        size = sum(self.results.get("layers_mb", [0]))
        tables = (
            ("pull", "pull of %d MB from masu-registry" % size, "masu"),
            ("push", "push into an empty registry", "masu"),
            ("save", "save to a file", "masu"), ("load", "load from that file", "masu"),
            ("large layer", "one layer of %d MB" % max(self.results.get("layers_mb", [0])), "igzip -dc | tar x"),
            ("equal layers", "layers of %d MB each" % self.results.get("layers_mb", [0])[0], "masu pull, 1 layer"))
        for job, title, reference in tables:
            rows = self.results.get(job)
            if not rows:
                continue
            heading = "   × %s   its CPU" % reference if reference in rows else ""
            say()
            say("%-42s %10s %10s %10s%s" % (title, "median", "shortest", "CPU", heading))
            for name, row in rows.items():
                ratio = ""
                if heading and name != reference:
                    times, work = (row[key] / rows[reference][key] for key in ("median_s", "cpu_s"))
                    ratio = ("%.2f%10.2f" % (times, work)).rjust(len(heading))
                say("%-42s %8.2f s %8.2f s %8.2f s%s" % (name, row["median_s"], row["min_s"], row["cpu_s"], ratio))
        if "pull" in self.results:
            say("    CPU is that of daemons and commands together, without the registry's: what lasts where "
                "the machine is busy.")

    def budgets(self, promise):
        def median(job, name):
            return self.results.get(job, {}).get(name, {}).get("median_s")

        for name in ("docker", "podman"):
            if median("pull", "masu") and median("pull", name):
                promise("masu pull ≥ 3 × as fast as %s pull" % name,
                        median("pull", name) / median("pull", "masu"), 3, "×", at_least=True)
        if "rise_kib" in self.results:
            promise("masud's memory rises by ≤ 64 MiB during a pull", self.results["rise_kib"] / 1024, 64, "MiB RSS")
        for job in ("push", "save", "load"):
            if median(job, "masu") and median(job, "docker"):
                promise("masu %s < 1 × docker %s" % (job, job), median(job, "masu") / median(job, "docker"), 1, "×")
        tar = median("large layer", "igzip -dc | tar x")
        for job in ("pull", "load"):
            own = median("large layer", "masu " + job)
            if tar and own:
                promise(
                    "masu %s unpacks a layer at ≥ 0.7 × igzip | tar's rate" % job, tar / own, 0.7, "×",
                    at_least=True)
        four = self.results.get("equal layers", {}).get("masu pull, 4 layers")
        if four:
            # One layer alone keeps more than one processor busy, and so the time of one is no measure for four.
            processors = min(os.cpu_count(), 4)
            promise("4 layers at once keep ≥ 0.8 of the processors busy",
                    four["cpu_s"] / four["median_s"] / processors, 0.8, "of %d" % processors, at_least=True)
