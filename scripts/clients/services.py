"""Debian's nginx, PostgreSQL and Redis: by name, by published port, while masud is killed, restarted by their policy.

psql, redis-cli and curl are those of the same Debian root: on the network in a container, and for the host and the
world outside with that container's files and another network namespace."""
import http.client
import os
import signal

from ground import BIN, Session, eventually, need, run

IMAGE = "debian-services"
# As the images of these services do it: logs to the standard streams, data made at the first start.
NGINX = """
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log
echo 'here is nginx' > /var/www/html/index.html
exec nginx -g 'daemon off;'
"""
POSTGRES = """
bin=/usr/lib/postgresql/15/bin data=/var/lib/postgresql/data
if [ ! -e $data/PG_VERSION ]; then
    $bin/initdb -D $data -A trust >/dev/null || exit
    echo 'host all all all trust' >> $data/pg_hba.conf
fi
exec $bin/postgres -D $data -c listen_addresses='*' -c log_connections=on -c unix_socket_directories=/tmp
"""
REDIS = ["redis-server", "--bind", "*", "-::*", "--protected-mode", "no", "--dir", "/tmp"]


class Place:
    """Where a client runs: its words before the client's own, and how it reaches each service."""

    def __init__(self, name, prefix, web, db, cache):
        self.name, self.prefix, self.web, self.db, self.cache = name, prefix, web, db, cache

    def curl(self, path="/", *flags):
        host, port = self.web
        return run(*self.prefix, "curl", "-sS", "--max-time", "60", *flags,
                   "http://%s:%s%s" % ("[%s]" % host if ":" in host else host, port, path))

    def psql_command(self, *flags):
        host, port = self.db
        return [*self.prefix, "psql", "-X", "-A", "-t", "-h", host, "-p", port, "-U", "postgres", *flags]

    def psql(self, statement):
        return run(*self.psql_command("-c", statement))

    def redis_command(self, *words):
        host, port = self.cache
        return [*self.prefix, "redis-cli", "-h", host, "-p", port, *words]

    def redis(self, *words):
        return run(*self.redis_command(*words))


def main(report, daemon, world, archive):
    report.heading("the image")
    daemon.masu_ok("import", archive, IMAGE, timeout=900)

    report.heading("three services and a client on one network")
    daemon.masu_ok("network", "create", "backend")
    for name, flags, command in (
            ("web", ["-p", "8080:80", "--network-alias", "www", "--restart", "always"], ["sh", "-c", NGINX]),
            ("db", ["-p", "5432", "--user", "postgres", "--restart", "unless-stopped"], ["sh", "-c", POSTGRES]),
            ("cache", ["-p", "127.0.0.1:6379:6379", "--restart", "on-failure:5"], REDIS)):
        daemon.masu_ok("run", "-d", "--name", name, "--network", "backend", *flags, IMAGE, *command)
    daemon.masu_ok("run", "-d", "--init", "--name", "client", "--network", "backend", IMAGE, "sleep", "infinity")

    enter = [need("nsenter"), "--target", daemon.pid("client"), "--mount", "--root", "--wd"]
    names = Place("container, by name", [*enter, "--net"], ("web", "80"), ("db", "5432"), ("cache", "6379"))
    places = [names] + [
        Place(name, [*enter, *more], (address, "8080"), (address, ""), (address, "6379"))
        for name, more, address in (
            ("host, 127.0.0.1", [], "127.0.0.1"), ("host, ::1", [], "::1"), ("host, own address", [], world.host),
            ("outside", ["--net=" + world.namespace], world.host),
            ("outside, IPv6", ["--net=" + world.namespace], world.host6))]
    # A port that is published on 127.0.0.1 alone is nowhere else.
    closed = [place for place in places[1:] if place.cache[0] != "127.0.0.1"]

    def find_database():
        """A port that the daemon chooses is another one after each start, as with Docker."""
        port = daemon.masu_ok("port", "db", "5432").splitlines()[0].rpartition(":")[2]
        for place in places[1:]:
            place.db = (place.db[0], port)

    def all_answer(when):
        report.heading("all are reached " + when)
        for place in places:
            where = "from %s %s" % (place.name, when)
            eventually("nginx answers " + where, lambda: place.curl().code == 0)
            report.equal("nginx " + where, place.curl().text, "here is nginx")
            eventually("PostgreSQL answers " + where, lambda: place.psql("SELECT 1").code == 0)
            report.equal("PostgreSQL " + where, place.psql("SELECT 6 * 7").text, "42")
            if place not in closed:
                eventually("Redis answers " + where, lambda: place.redis("PING").text == "PONG")
                place.redis("SET", "place", place.name)
                report.equal("Redis " + where, place.redis("GET", "place").text, place.name)
        for place in closed:
            answer = place.redis("PING")
            report.true("a port of 127.0.0.1 is closed from " + place.name, answer.text != "PONG", answer)

    find_database()
    all_answer("from the start")
    names_of_web = [Place(name, names.prefix, (name, "80"), ("", ""), ("", ""))
                    for name in ("www", "web.backend", daemon.masu_ok("inspect", "-f", "{{.Id}}", "web")[:12])]
    for place in names_of_web:
        eventually("nginx answers as " + place.web[0], lambda: place.curl().code == 0)
        report.equal("nginx as " + place.web[0], place.curl().text, "here is nginx")
    seen = [line.split()[0] for line in daemon.masu_ok("logs", "web").splitlines() if "GET / " in line]
    report.true("the log of nginx has the address of the client outside", world.outside in seen, seen)

    report.heading("connections that are open while masud is killed")
    outside = places[4]
    report.equal("a table is made", outside.psql("CREATE TABLE kept (line text)").code, 0)
    connection = http.client.HTTPConnection(world.host, 8080)
    connection.sock = world.connect(world.host, 8080)
    sessions = {
        "psql from outside": Session(outside.psql_command()),
        "psql by name": Session(names.psql_command()),
        "a subscriber by name": Session(names.redis_command("SUBSCRIBE", "news")),
        "a subscriber on 127.0.0.1": Session(places[1].redis_command("SUBSCRIBE", "news")),
    }

    def keep_alive(path):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read().decode(errors="replace"), response.status

    def all_go_on(word):
        report.equal("nginx on a connection that stays", keep_alive("/?" + word), ("here is nginx\n", 200))
        for name, session in sessions.items():
            if "psql" in name:
                session.send("INSERT INTO kept VALUES ('%s') RETURNING line || '!';" % word)
        report.equal("all subscribers are there", outside_publish(word), "2")
        for name, session in sessions.items():
            session.wait_for("%s goes on: %s" % (name, word), word + "!" if "psql" in name else word)
            report.true(name, True)

    def outside_publish(word):
        return names.redis("PUBLISH", "news", word).text

    for name, session in sessions.items():
        if "subscriber" in name:
            session.wait_for(name, "subscribe")
    all_go_on("before")
    daemon.crash()
    report.heading("masud is dead")
    all_go_on("meanwhile")
    all_answer("while masud is dead")
    report.equal("a request without masud", outside.curl("/while-masud-is-dead", "-o", "/dev/null").code, 0)
    daemon.start()
    report.heading("masud is back")
    all_go_on("afterwards")
    connection.close()
    for session in sessions.values():
        session.end()
    report.equal("what was written", names.psql("SELECT count(*) FROM kept").text, "6")
    running = set(daemon.masu_ok("ps", "--format", "{{.Names}}").split())
    report.equal("running containers", running, {"web", "db", "cache", "client"})
    log = daemon.masu_ok("logs", "web")
    for path in ("/?before", "/?meanwhile", "/while-masud-is-dead", "/?afterwards"):
        report.equal("lines of nginx's log about " + path, log.count("GET %s " % path), 1)
    tail = daemon.masu_ok("logs", "--tail", "1", "web")
    report.true("the last line of the log", "GET /?afterwards " in tail, tail)
    database_log = daemon.masu("logs", "db")
    report.true("PostgreSQL logs to its standard error",
                "connection authorized" in database_log.err and "connection authorized" not in database_log.out)
    follower = Session([os.path.join(BIN, "masu"), "-H", daemon.address, "logs", "-f", "--tail",
                        "0", "web"])

    def follows():
        outside.curl("/followed")
        return any("GET /followed " in line for line in follower.lines)

    eventually("a follower of the log sees a request", follows)
    follower.end()

    report.heading("restart policies")

    def count(name):
        return int(daemon.masu_ok("inspect", "-f", "{{.RestartCount}}", name))

    def kill(name):
        os.kill(int(daemon.pid(name)), signal.SIGKILL)

    for name in ("web", "db", "cache"):
        before = count(name)
        kill(name)
        eventually("%s is started again" % name, lambda: count(name) > before)
    eventually("PostgreSQL has ended its recovery", lambda: names.psql("SELECT 1").code == 0)
    find_database()
    all_answer("after they were killed")
    report.equal("what PostgreSQL has after a crash", names.psql("SELECT count(*) FROM kept").text, "6")

    report.heading("killed while masud is dead")
    pid = daemon.pid("web")
    daemon.crash()
    os.kill(int(pid), signal.SIGKILL)
    eventually("nginx is gone", lambda: not os.path.exists("/proc/" + pid))
    eventually("the port is closed", lambda: outside.curl().code != 0)
    daemon.start()
    all_answer("after the next start of masud")

    report.heading("ends that no policy follows")
    daemon.masu_ok("stop", "web")
    names.redis("SHUTDOWN", "NOSAVE")
    for name in ("web", "cache"):
        eventually("%s has ended" % name,
                   lambda: daemon.masu_ok("inspect", "-f", "{{.State.Status}}", name) == "exited")
        report.equal("exit code of " + name, daemon.masu_ok("inspect", "-f", "{{.State.ExitCode}}", name), "0")
    report.equal("a stopped container's name", names.curl().code, 6)
    daemon.masu_ok("restart", "db")
    find_database()
    daemon.crash()
    daemon.start()
    for name in ("web", "cache"):
        expected = "running" if name == "web" else "exited"  # "always" means the next start of the daemon, too
        eventually("%s is %s" % (name, expected),
                   lambda: daemon.masu_ok("inspect", "-f", "{{.State.Status}}", name) == expected)
    daemon.masu_ok("start", "cache")
    all_answer("after a stop and a start")
