"""testcontainers with PostgreSQL and Redis, and with its reaper; prints a line for each thing, "ok …" or "no …".

The program ends as one that is killed, without removing one container, one network and one volume: the reaper has to.
"""
import os
import sys

import docker
from testcontainers.core.container import DockerContainer
from testcontainers.core.labels import LABEL_SESSION_ID, SESSION_ID
from testcontainers.core.network import Network
from testcontainers.postgres import PostgresContainer
from testcontainers.redis import RedisContainer


def check(what, condition):
    print("ok" if condition else "no", what, flush=True)


with PostgresContainer("postgres:test", driver=None) as postgres:
    url = postgres.get_connection_url()
    check("the address of PostgreSQL: " + url, url.startswith("postgresql://test:test@") and url.endswith("/test"))
    code, output = postgres.exec(["psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-U", "test", "-d", "test", "-c",
                                  "select 6 * 7"])
    check("PostgreSQL answers", (code, output.strip()) == (0, b"42"))

with RedisContainer("redis:test", password="secret") as redis:
    client = redis.get_client()
    client.set("key", "value")
    check("Redis answers", client.get("key") == b"value" and client.ping())

engine = docker.from_env()
labels = {LABEL_SESSION_ID: SESSION_ID}
engine.volumes.create("left-behind", labels=labels)
Network().create()
DockerContainer("busybox").with_command("sleep 100000").with_name("left-behind").with_volume_mapping(
    "left-behind", "/data", "rw").start()
check("the reaper runs", any("ryuk" in container.name for container in engine.containers.list()))
sys.stdout.flush()
# Not by way of those who would stop the reaper.
os._exit(0)
