"""testcontainers and the Docker SDK for Python: in a Python of its own, which this starts."""
import os

from ground import eventually, run
from services import IMAGE

HERE = os.path.dirname(os.path.abspath(__file__))
# What the entry points of the images on Docker's Hub do, as far as testcontainers asks for it.
POSTGRES = """#!/bin/sh
set -e
bin=/usr/lib/postgresql/15/bin data=/var/lib/postgresql/data
$bin/initdb -D $data -A trust -U "$POSTGRES_USER" >/dev/null
echo 'host all all all trust' >>$data/pg_hba.conf
echo "create database \\"$POSTGRES_DB\\"" | $bin/postgres --single -D $data postgres >/dev/null
exec $bin/postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
REDIS = """#!/bin/sh
[ $# -gt 0 ] || set -- redis-server
exec "$@" --bind '*' '-::*' --protected-mode no --dir /tmp
"""
IMAGES = {
    "postgres:test": (POSTGRES, ["USER postgres", "EXPOSE 5432"]),
    "redis:test": (REDIS, ["EXPOSE 6379"]),
    "ryuk:test": (None, ["EXPOSE 8080"]),
}


def make_images(daemon, archive):
    daemon.masu_ok("import", archive, IMAGE, timeout=900)
    for name, (script, changes) in IMAGES.items():
        path = os.path.join(daemon.directory, "entry")
        if script is None:
            path = os.path.join(HERE, "reaper.pl")
        else:
            with open(path, "w") as file:
                file.write(script)
            os.chmod(path, 0o755)
        daemon.masu_ok("create", "--name", "made", IMAGE, "true")
        daemon.masu_ok("cp", path, "made:/entry")
        flags = [word for change in ['ENTRYPOINT ["/entry"]', "CMD []", *changes] for word in ("--change", change)]
        daemon.masu_ok("commit", *flags, "made", name)
        daemon.masu_ok("rm", "made")


def main(report, daemon, world, python, archive):
    daemon.busybox()
    make_images(daemon, archive)
    base = dict(daemon.environment, PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore",
                MASU_CLIENTS_OUTSIDE=world.namespace)
    without_reaper = dict(base, TESTCONTAINERS_RYUK_DISABLED="true")
    with_reaper = dict(base, RYUK_CONTAINER_IMAGE="ryuk:test", RYUK_RECONNECTION_TIMEOUT="1s")
    for script, environment in (("with_testcontainers.py", without_reaper), ("with_docker_sdk.py", without_reaper),
                                ("with_services.py", with_reaper)):
        report.heading(script)
        result = run(python, os.path.join(HERE, script), env=environment)
        for line in result.out.splitlines():
            word, _, text = line.partition(" ")
            report.true(text, word == "ok")
        report.true(script + " ends well", result.code == 0, result)
        if environment is with_reaper:
            eventually("the reaper has removed what was left", lambda: not daemon.masu_ok("ps", "-aq"))
            report.equal("volumes that are left", daemon.masu_ok("volume", "ls", "-q"), "")
        report.equal("containers that are left", daemon.masu_ok("ps", "-aq"), "")
        report.equal("networks that are left", daemon.masu_ok("network", "ls", "-q", "--filter", "type=custom"), "")
