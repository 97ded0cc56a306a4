"""One stack with every Compose that people have: three services, an order by health, volumes, two networks, env files.

The database's health is in the hands of this program: it opens a gate when it has seen that nobody was started too
early."""
import json
import os
import subprocess

from ground import eventually, ok, run

# The first form has the conditions of depends_on, the second one no longer, and today's has them again: all read this.
STACK = """
version: "2.4"
services:
  db:
    image: busybox
    init: true
    env_file: [db.env]
    environment:
      GREETING: ${GREETING} from ${WHO:-nobody}
    command: ["sh", "-c", "until test -e /gate/open; do sleep 0.1; done; echo $$SECRET $$GREETING >/data/ready; \
echo the database is ready; exec sleep infinity"]
    volumes:
      - data:/data
      - /scratch
      - ./gate:/gate:ro
    networks: [back]
    healthcheck:
      test: ["CMD", "test", "-e", "/data/ready"]
      interval: 300ms
      timeout: 20s
      retries: 1000
  web:
    image: busybox
    init: true
    command: ["httpd", "-f", "-p", "80", "-h", "/data"]
    depends_on:
      db: {condition: service_healthy}
    volumes:
      - type: volume
        source: data
        target: /data
        read_only: true
    networks:
      front: {aliases: [www]}
      back: {}
    ports: ["127.0.0.1:8085:80"]
    healthcheck:
      test: wget -q -O /dev/null http://127.0.0.1/ready
      interval: 300ms
      timeout: 20s
      retries: 1000
  worker:
    image: busybox
    init: true
    command: ["sh", "-c", "echo I work; exec sleep infinity"]
    env_file: [common.env, worker.env]
    depends_on:
      web: {condition: service_healthy}
    networks: [back]
    volumes: ["shared:/shared"]
networks:
  front: {}
  back: {}
volumes:
  data:
    labels: {org.example.volume: data}
  shared:
    driver: local
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=1m"}
"""
FILES = {
    "docker-compose.yml": STACK,
    ".env": "GREETING=hello\n",
    "db.env": "SECRET=a secret\n",
    "common.env": "LEVEL=low\nPLACE=here\n",
    "worker.env": "# Later files win.\nLEVEL=high\n",
}
PROJECT_LABEL = "com.docker.compose.project=box"


def main(report, daemon, world, composes):
    daemon.busybox()
    for name, words in composes:
        report.heading(name)
        stack = Stack(report, daemon, name, words)
        for step in (stack.start, stack.answers, stack.scaling, stack.again, stack.end):
            report.guard(step)
        stack.run("down", "-v", "-t", "0")
        daemon.clear()


class Stack:
    def __init__(self, report, daemon, name, words):
        self.report, self.daemon, self.prefix = report, daemon, words
        self.directory = os.path.join(daemon.directory, "box-" + name.replace(" ", "-"))
        os.makedirs(os.path.join(self.directory, "gate"))
        for file, text in FILES.items():
            with open(os.path.join(self.directory, file), "w") as out:
                out.write(text)
        self.place = {"env": daemon.environment, "cwd": self.directory}

    def words(self, *arguments):
        return [*self.prefix, "-p", "box", *arguments]

    def run(self, *arguments):
        return run(*self.words(*arguments), **self.place)

    def ok(self, *arguments):
        return ok(*self.words(*arguments), **self.place)

    def containers(self, service, *flags):
        """Names of a service's containers."""
        return self.daemon.masu_ok(
            "ps", *flags, "--filter", "label=" + PROJECT_LABEL, "--filter", "label=com.docker.compose.service=" +
            service, "--format", "{{.Names}}").split()

    def inspect(self, service, template):
        return self.daemon.masu_ok("inspect", "-f", template, *self.containers(service, "-a")[:1])

    def volumes(self):
        return sorted(self.daemon.masu_ok("volume", "ls", "--format", "{{.Name}}", "--filter",
                                          "label=" + PROJECT_LABEL).split())

    # -- steps

    def start(self):
        self.report.true("the configuration", self.run("config", "-q").code == 0)
        up = subprocess.Popen(
            self.words("up", "-d"), **self.place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        eventually("the database is asked for its health", lambda: self.containers("db") and self.inspect(
            "db", "{{.State.Health.Status}} {{len .State.Health.Log}}").startswith("starting ")
            and not self.inspect("db", "{{len .State.Health.Log}}") == "0")
        self.report.equal("who runs before the database is healthy",
                          self.containers("web") + self.containers("worker"), [])
        with open(os.path.join(self.directory, "gate", "open"), "w"):
            pass
        said = up.communicate()[0]
        self.report.true("up", up.returncode == 0, said)
        self.report.equal("everybody's health", [self.inspect(name, "{{.State.Health.Status}}") for name in
                                                 ("db", "web")], ["healthy", "healthy"])
        order = [self.inspect(name, "{{.State.StartedAt}}") for name in ("db", "web", "worker")]
        self.report.equal("the order of starts", order, sorted(order))

    def answers(self):
        equal = self.report.equal
        equal("web has the database's file", self.ok("exec", "-T", "worker", "wget", "-qO-", "http://web/ready"),
              "a secret hello from nobody")
        equal("a volume that is read-only there",
              self.run("exec", "-T", "web", "touch", "/data/x").code != 0, True)
        equal("env files in their order", self.ok("exec", "-T", "worker", "sh", "-c", "echo $LEVEL $PLACE"),
              "high here")
        self.report.true("a volume of one's own", " /scratch " in self.ok("exec", "-T", "db", "mount"))
        self.report.true("a volume with options", "tmpfs on /shared" in self.ok("exec", "-T", "worker", "mount"))
        self.report.true("two networks", len(self.inspect(
            "web", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}").split()) == 2)
        table = self.ok("ps")
        for service in ("db", "web", "worker"):
            self.report.true("ps has " + service, service in table, table)
        self.report.true("ps tells health", "healthy" in table, table)
        logs = self.ok("logs", "--no-color", "db", "worker")
        self.report.true("logs", "the database is ready" in logs and "I work" in logs, logs)
        equal("exec's exit code", self.run("exec", "-T", "db", "sh", "-c", "exit 7").code, 7)
        # What this stack made, and nothing else.
        equal("volumes", self.volumes(), ["box_data", "box_shared"])
        self.report.true("labels of a volume", "org.example.volume" in self.daemon.masu_ok(
            "volume", "inspect", "-f", "{{json .Labels}}", "box_data"))

    def scaling(self):
        self.ok("up", "-d", "--no-recreate", "--scale", "worker=3")
        self.report.equal("three workers", len(self.containers("worker")), 3)
        self.ok("up", "-d", "--no-recreate", "--scale", "worker=1")
        self.report.equal("one worker", len(self.containers("worker")), 1)

    def again(self):
        self.ok("down", "-t", "1")
        self.report.equal("volumes stay", self.volumes(), ["box_data", "box_shared"])
        self.report.equal("containers do not", self.daemon.masu_ok("ps", "-aq"), "")
        # A volume without a name belongs to nobody now.
        self.report.true("prune", "Deleted Volumes" in self.daemon.masu_ok("volume", "prune", "-f"))
        self.ok("up", "-d")
        self.report.equal("and have what they had", self.ok("exec", "-T", "web", "cat", "/data/ready"),
                          "a secret hello from nobody")
        self.daemon.crash()
        self.daemon.start()
        eventually("health after masud's death", lambda: self.inspect("db", "{{.State.Health.Status}}") == "healthy")
        result = self.run("up", "-d")
        self.report.true("up after masud's death", result.code == 0, result)

    def end(self):
        self.ok("down", "-v", "-t", "1")
        self.report.equal("containers that are left", self.daemon.masu_ok("ps", "-aq"), "")
        self.report.equal("volumes that are left", self.daemon.masu_ok("volume", "ls", "-q"), "")
        self.report.equal("networks that are left",
                          self.daemon.masu_ok("network", "ls", "-q", "--filter", "type=custom"), "")
