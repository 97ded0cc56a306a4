"""testcontainers and the Docker SDK for Python: in a Python of its own, which this starts."""
import os

from ground import run


def main(report, daemon, world, python):
    daemon.busybox()
    # Tests wait for a container by a second one, Ryuk, which removes all when they end; its image is nowhere here.
    environment = dict(daemon.environment, TESTCONTAINERS_RYUK_DISABLED="true", PYTHONDONTWRITEBYTECODE="1",
                       PYTHONWARNINGS="ignore", MASU_CLIENTS_OUTSIDE=world.namespace)
    for script in ("with_testcontainers.py", "with_docker_sdk.py"):
        report.heading(script)
        result = run(python, os.path.join(os.path.dirname(os.path.abspath(__file__)), script), env=environment)
        for line in result.out.splitlines():
            word, _, text = line.partition(" ")
            report.true(text, word == "ok")
        report.true(script + " ends well", result.code == 0, result)
        report.equal("containers that are left", daemon.masu_ok("ps", "-aq"), "")
        report.equal("networks that are left", daemon.masu_ok("network", "ls", "-q", "--filter", "type=custom"), "")
