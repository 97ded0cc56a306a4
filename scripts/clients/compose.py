"""Compose v2 as people use it: a stack of two networks with aliases, addresses, a published port and an order."""
import json
import os
import re
import subprocess

from ground import Session, eventually, need, ok, run

STACK = """
name: stack
services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir -p /www && echo this is web >/www/index.html && exec httpd -f -vv -p 80 -h /www"]
    ports:
      - "8080:80"
      - "127.0.0.1::81"
      - target: 82
        published: "9000-9001"
        protocol: udp
    depends_on:
      api:
        condition: service_started
    networks:
      front:
        aliases: [www, "www.example.org"]
      back: {}
    restart: unless-stopped
    environment:
      API: http://api.internal:8000/
    labels:
      org.example.part: web
    extra_hosts:
      - "gate:host-gateway"
  api:
    image: busybox
    command: ["sh", "-c", "mkdir -p /www && echo this is api >/www/index.html && exec httpd -f -p 8000 -h /www"]
    init: true
    expose: ["8000"]
    depends_on: [db]
    networks:
      back:
        aliases: [api.internal]
        ipv4_address: 10.60.0.60
        priority: 10
  db:
    image: busybox
    hostname: database
    command: ["sh", "-c", "echo the database is ready; exec sleep infinity"]
    init: true
    networks: [back]
    stop_grace_period: 1s
    sysctls:
      net.ipv4.ip_unprivileged_port_start: 0
    dns_search: [example.org]
  job:
    image: busybox
    command: ["true"]
    networks: [back]
    depends_on: [db]
  after:
    image: busybox
    command: ["sh", "-c", "echo after the job; exec sleep infinity"]
    init: true
    networks: [back]
    depends_on:
      job:
        condition: service_completed_successfully
  beside:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    network_mode: "service:db"
  alone:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    network_mode: none
  extra:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    networks: [front]
    profiles: [extra]
networks:
  front:
    labels:
      org.example.network: front
    driver_opts:
      com.docker.network.driver.mtu: "1400"
  back:
    name: backend
    internal: true
    attachable: true
    ipam:
      config:
        - subnet: 10.60.0.0/24
          ip_range: 10.60.0.128/25
          gateway: 10.60.0.9
          aux_addresses:
            printer: 10.60.0.130
"""
# The same with one service changed, which alone is to be made again.
CHANGED = STACK.replace("this is api", "this is the new api")


def main(report, daemon, world, docker, python):
    daemon.busybox()
    program = ok(python, "-c", "import compose, os; print(os.path.join(os.path.dirname(compose.__file__), "
                               "'docker-compose'))")
    # As a plugin of the docker command line, as people have it.
    plugins = os.path.join(daemon.environment["DOCKER_CONFIG"], "cli-plugins")
    os.makedirs(plugins)
    os.symlink(program, os.path.join(plugins, "docker-compose"))
    compose = Compose(report, daemon, world, docker)
    for step in (compose.up, compose.names, compose.questions, compose.execution, compose.changes, compose.scaling,
                 compose.survival, compose.down, compose.shared_network, compose.refusals):
        report.heading(step.__name__)
        report.guard(step)


class Compose:
    def __init__(self, report, daemon, world, docker):
        self.report, self.daemon, self.world, self.docker = report, daemon, world, docker
        self.directory = os.path.join(daemon.directory, "stack")
        os.makedirs(self.directory)
        self.write(STACK)

    def write(self, text, name="compose.yaml"):
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(text)

    def words(self, *arguments):
        return [self.docker, "compose", "--progress", "plain", *arguments]

    def run(self, *arguments, **options):
        return run(*self.words(*arguments), env=self.daemon.environment, cwd=self.directory, **options)

    def ok(self, *arguments, **options):
        return ok(*self.words(*arguments), env=self.daemon.environment, cwd=self.directory, **options)

    def services(self, *flags):
        return {entry["Service"]: entry for entry in
                (json.loads(line) for line in self.ok("ps", "--format", "json", *flags).splitlines())}

    def get(self, *words):
        """What a web server answers to a service. The kernel has one table of neighbours for all containers: when it
        is full, a packet gets lost, and the next is not."""
        *words, url = words
        return eventually("%s is reached" % url, lambda: self.run(*words, "wget", "-qO-", url).text)

    def inspect(self, name, template):
        return self.daemon.masu_ok("inspect", "-f", template, name)

    # -- steps

    def up(self):
        equal = self.report.equal
        self.report.match("version", self.ok("version", "--short"), r"2\.\d+\.\d+.*")
        equal("services of the configuration", sorted(self.ok("config", "--services").split()),
              ["after", "alone", "api", "beside", "db", "job", "web"])
        result = self.run("up", "--detach")
        self.report.true("up", result.code == 0, result)
        states = {name: entry["State"] for name, entry in self.services("--all").items()}
        equal("services", states, {"web": "running", "api": "running", "db": "running", "job": "exited",
                                   "after": "running", "beside": "running", "alone": "running"})
        networks = json.loads(self.daemon.masu_ok("network", "inspect", "stack_front", "backend"))
        front, back = networks
        equal("the network front", (front["Driver"], front["Options"], front["Labels"]["org.example.network"],
                                    front["Labels"]["com.docker.compose.network"], front["Internal"]),
              ("bridge", {"com.docker.network.driver.mtu": "1400"}, "front", "front", False))
        equal("the network back", (back["Internal"], back["Attachable"], back["IPAM"]["Config"]), (True, True, [{
            "Subnet": "10.60.0.0/24", "IPRange": "10.60.0.128/25", "Gateway": "10.60.0.9",
            "AuxiliaryAddresses": {"printer": "10.60.0.130"}}]))
        order = ["db", "api", "web"]
        started = [self.inspect("stack-%s-1" % name, "{{.State.StartedAt}}") for name in order]
        equal("the order of starts", started, sorted(started))
        again = self.run("up", "-d", "--no-recreate")
        equal("up changes nothing the second time", (again.code, "Recreate" in again.err, "Created" in again.err),
              (0, False, False))
        self.report.true("containers are told apart", "Running" in again.err, again)
        again = self.run("up", "-d")
        self.report.true("nor does it make anything again", again.code == 0 and "Recreate" not in again.err, again)

    def names(self):
        equal = self.report.equal

        def get(service, url):
            return self.get("exec", "-T", service, url)

        equal("web finds api by its service", get("web", "http://api:8000/"), "this is api")
        equal("web finds api by its alias", get("web", "http://api.internal:8000/"), "this is api")
        equal("web finds api by its container", get("web", "http://stack-api-1:8000/"), "this is api")
        equal("web finds api by its address", get("web", "http://10.60.0.60:8000/"), "this is api")
        equal("api finds web on the network that both are on", get("api", "http://web/"), "this is web")
        self.report.true("api does not know web's alias on the other network",
                         self.run("exec", "-T", "api", "nslookup", "www").code != 0)
        equal("a service with another's network", get("beside", "http://api:8000/"), "this is api")
        equal("a service without network", self.ok("exec", "-T", "alone", "ls", "/sys/class/net"), "lo")
        equal("a host name", self.ok("exec", "-T", "db", "hostname"), "database")
        equal("a kernel parameter",
              self.ok("exec", "-T", "db", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0")
        self.report.true("a search domain", "search example.org" in self.ok("exec", "-T", "db", "cat",
                                                                           "/etc/resolv.conf"))
        self.report.true("a host of one's own", "\tgate" in self.ok("exec", "-T", "web", "cat", "/etc/hosts"))
        equal("the MTU", self.ok("exec", "-T", "web", "sh", "-c", "cat /sys/class/net/*/mtu | sort -n | head -n 1"),
              "1400")
        curl = [need("curl"), "-sS", "--max-time", "60"]
        for prefix, address in (([], "127.0.0.1"), ([], "[::1]"), (self.world.prefix, self.world.host),
                                (self.world.prefix, "[%s]" % self.world.host6)):
            equal("web's port at " + address, run(*prefix, *curl, "http://%s:8080/" % address).text, "this is web")
        self.report.true("an internal network does not lead outside",
                         "default" not in self.ok("exec", "-T", "api", "ip", "route"))

    def questions(self):
        equal = self.report.equal
        equal("port", self.ok("port", "web", "80"), "0.0.0.0:8080")
        self.report.match("a port that nobody chose", self.ok("port", "web", "81"), r"127\.0\.0\.1:\d+")
        self.report.match("a port out of a range", self.ok("port", "--protocol", "udp", "web", "82"),
                          r"0\.0\.0\.0:900[01]")
        self.report.refused("a port that is not there", self.run("port", "web", "99"), 1, "no port 99/tcp")
        publishers = {(p["URL"], p["TargetPort"], p["PublishedPort"], p["Protocol"])
                      for p in self.services()["web"]["Publishers"]}
        self.report.true("ps has the ports", {("0.0.0.0", 80, 8080, "tcp"), ("::", 80, 8080, "tcp")} <= publishers,
                         publishers)
        table = self.ok("ps")
        self.report.match("the head of ps", table.splitlines()[0],
                          r"NAME +IMAGE +COMMAND +SERVICE +CREATED +STATUS +PORTS")
        line = [line for line in table.splitlines() if line.startswith("stack-web-1 ")]
        self.report.match("web's line of ps", line[0] if line else table,
                          r"stack-web-1 +busybox .* web .* Up .*0\.0\.0\.0:8080->80/tcp.*")
        equal("ps of one", self.ok("ps", "--services", "--filter", "status=running", "web"), "web")
        equal("ids", len(self.ok("ps", "-q").split()), 6)
        equal("logs", self.ok("logs", "--no-log-prefix", "db"), "the database is ready")
        self.report.match("logs with names", self.ok("logs", "--no-color", "db", "after"),
                          r"(after-1 +\| after the job\s+db-1 +\| the database is ready|"
                          r"db-1 +\| the database is ready\s+after-1 +\| after the job)")
        self.report.match("logs with times", self.ok("logs", "-t", "--no-log-prefix", "--tail", "1", "db"),
                          r"\d{4}-\d\d-\d\dT[\d:.]+Z the database is ready")
        follower = Session(self.words("logs", "-f", "--no-log-prefix", "--tail", "0", "web"),
                           env=self.daemon.environment, cwd=self.directory)

        def follows():
            run(need("curl"), "-s", "http://127.0.0.1:8080/followed")
            return any("/followed" in line for line in follower.lines)

        eventually("a follower of logs sees a request", follows)
        follower.end()
        equal("images", {entry["Repository"] for entry in json.loads(self.ok("images", "--format", "json"))},
              {"busybox"})
        self.report.true("top", "httpd" in self.ok("top", "web"))
        projects = json.loads(self.ok("ls", "--format", "json"))
        equal("ls", [(p["Name"], p["ConfigFiles"]) for p in projects],
              [("stack", os.path.join(self.directory, "compose.yaml"))])

    def execution(self):
        equal = self.report.equal
        equal("exec", self.ok("exec", "-T", "db", "echo", "inside"), "inside")
        equal("exec with words", self.ok("exec", "-T", "-e", "A=b", "-w", "/tmp", "-u", "1", "db", "sh", "-c",
                                         "echo $A; pwd; id -u").split(), ["b", "/tmp", "1"])
        equal("exec's exit code", self.run("exec", "-T", "db", "sh", "-c", "exit 7").code, 7)
        equal("exec's input", self.ok("exec", "-T", "db", "cat", input="words\n"), "words")
        equal("run", self.get("run", "--rm", "-T", "--no-deps", "job", "http://api:8000/"), "this is api")
        equal("run's exit code", self.run("run", "--rm", "-T", "--no-deps", "job", "sh", "-c", "exit 9").code, 9)
        result = self.run("run", "--rm", "-T", "-d", "--name", "once", "-p", "8099:99", "extra",
                          "sleep", "infinity")
        equal("run with a port", self.daemon.masu_ok("port", "once", "99") if result.code == 0 else result,
              "0.0.0.0:8099\n[::]:8099")
        self.daemon.masu_ok("rm", "-f", "once")
        file = os.path.join(self.directory, "file")
        with open(file, "w") as out:
            out.write("copied\n")
        self.ok("cp", file, "db:/tmp/file")
        equal("cp", self.ok("exec", "-T", "db", "cat", "/tmp/file"), "copied")

    def changes(self):
        equal = self.report.equal
        before = {name: entry["ID"] for name, entry in self.services().items()}
        self.write(CHANGED)
        self.ok("up", "-d")
        after = {name: entry["ID"] for name, entry in self.services().items()}
        changed = {name for name in before if before[name] != after.get(name)}
        self.report.true("what has changed is made again", "api" in changed and not changed & {"db", "after", "alone"},
                         changed)
        equal("with the same address", self.get("exec", "-T", "web", "http://api.internal:8000/"),
              "this is the new api")
        equal("and the same name", self.inspect("stack-api-1", "{{.NetworkSettings.Networks.backend.IPAddress}}"),
              "10.60.0.60")
        for verb, state in (("pause", "paused"), ("unpause", "running"), ("stop", "exited"), ("start", "running"),
                            ("restart", "running"), ("kill", "exited")):
            self.ok(verb, "db")
            eventually("%s: db is %s" % (verb, state),
                       lambda: self.services("-a")["db"]["State"] == state)
        self.ok("up", "-d")
        equal("all are there", self.services()["db"]["State"], "running")
        # db's namespace was another before it was killed.
        self.ok("restart", "beside")
        equal("a service with another's network", self.get("exec", "-T", "beside", "http://api:8000/"),
              "this is the new api")

    def scaling(self):
        equal = self.report.equal
        self.ok("up", "-d", "--no-recreate", "--scale", "after=3")
        equal("three of one", len(self.ok("ps", "-q", "after").split()), 3)
        answer = self.ok("exec", "-T", "web", "nslookup", "after.", "127.0.0.11")
        addresses = set(re.findall(r"10\.60\.0\.\d+", answer))
        equal("one name, three addresses", len(addresses), 3)
        self.ok("scale", "after=1")
        equal("one of them", len(self.ok("ps", "-q", "after").split()), 1)
        self.ok("--profile", "extra", "up", "-d", "--no-recreate", "extra")
        equal("a profile", self.services("-a").get("extra", {}).get("State"), "running")

    def survival(self):
        curl = [*self.world.prefix, need("curl"), "-sS", "--max-time", "60", "http://%s:8080/" % self.world.host]
        self.daemon.crash()
        self.report.equal("the port while masud is dead", run(*curl).text, "this is web")
        self.daemon.start()
        self.report.equal("services after masud's death", self.services()["web"]["State"], "running")
        self.report.equal("the port afterwards", run(*curl).text, "this is web")
        result = self.run("up", "-d", "--no-recreate")
        self.report.true("up afterwards", result.code == 0 and "Created" not in result.err, result)

    def down(self):
        result = self.run("--profile", "extra", "down", "--timeout", "1", "--remove-orphans")
        self.report.true("down", result.code == 0, result)
        self.report.equal("containers that are left", self.daemon.masu_ok("ps", "-aq"), "")
        self.report.equal("networks that are left",
                          self.daemon.masu_ok("network", "ls", "-q", "--filter", "type=custom"), "")

    def shared_network(self):
        """Two projects on one network that neither made."""
        self.daemon.masu_ok("network", "create", "shared")
        text = """
services:
  %s:
    image: busybox
    init: true
    command: ["sleep", "infinity"]
    networks: [shared, default]
networks:
  shared:
    external: true
"""
        for name in ("one", "two"):
            self.write(text % name, name + ".yaml")
            self.ok("-p", name, "-f", name + ".yaml", "up", "-d")
        ping = ["-p", "one", "-f", "one.yaml", "exec", "-T", "one", "ping", "-c1", "-W5", "two"]
        eventually("one project's service finds the other's", lambda: self.run(*ping).code == 0)
        for name in ("one", "two"):
            self.ok("-p", name, "-f", name + ".yaml", "down", "-t", "0")
        left = self.daemon.masu_ok("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}")
        self.report.equal("the network stays", left, "shared")
        self.daemon.masu_ok("network", "rm", "shared")

    def refusals(self):
        for text, networks in (
                ("network nowhere declared as external, but could not be found", "nowhere: {external: true}"),
                ("no configured subnet", "nowhere: {ipam: {config: [{subnet: 10.61.0.0/24}]}}"),
                ("invalid", "nowhere: {ipam: {config: [{subnet: 10.61.0.0/33}]}}"),
                ("could not find plugin nothing", "nowhere: {driver: nothing}")):
            self.write("""
services:
  box:
    image: busybox
    command: ["sleep", "infinity"]
    networks: {nowhere: {ipv4_address: 10.62.0.1}}
networks:
  %s
""" % networks, "bad.yaml")
            result = self.run("-p", "bad", "-f", "bad.yaml", "up", "-d")
            self.report.true("up says %r" % text, result.code != 0 and text in result.err, result)
            self.ok("-p", "bad", "-f", "bad.yaml", "down", "-t", "0")
        self.report.equal("what is left of what was refused",
                          self.daemon.masu_ok("ps", "-aq")
                          + self.daemon.masu_ok("network", "ls", "-q", "--filter", "type=custom"), "")
