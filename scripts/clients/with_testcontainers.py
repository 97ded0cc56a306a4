"""What tests do with testcontainers; prints a line for each thing, "ok …" or "no …"."""
import urllib.request

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs

# httpd leaves its terminal when it has its port.
SERVER = ("sh -c 'mkdir -p /www && echo this is %s >/www/index.html && httpd -p %d -h /www && echo ready to serve && "
          "exec sleep infinity'")


def check(what, condition):
    print("ok" if condition else "no", what, flush=True)


def get(container, port):
    address = "http://%s:%s/" % (container.get_container_host_ip(), container.get_exposed_port(port))
    with urllib.request.urlopen(address, timeout=60) as response:
        return response.read().decode().strip()


with DockerContainer("busybox").with_command(SERVER % ("one", 80)).with_exposed_ports(80, "81/tcp", "53/udp") as one, \
        DockerContainer("busybox").with_command(SERVER % ("two", 80)).with_exposed_ports(80) as two:
    for name, container in (("one", one), ("two", two)):
        wait_for_logs(container, "ready to serve", timeout=180)
        check("the log of " + name, container.get_logs()[0] == b"ready to serve\n")
        check("the port of " + name, get(container, 80) == "this is " + name)
    ports = [int(one.get_exposed_port(port)) for port in (80, 81)] + [int(two.get_exposed_port(80))]
    check("ports are apart: %s" % ports, len(set(ports)) == 3 and min(ports) >= 1024)
    code, output = one.exec(["sh", "-c", "echo inside; exit 3"])
    check("exec", (code, output) == (3, b"inside\n"))
    check("an environment", one.exec(["hostname"]).output.strip().decode() == one.get_wrapped_container().id[:12])

with DockerContainer("busybox").with_command(SERVER % ("bound", 80)).with_bind_ports(80, 8088).with_env("A", "b") as it:
    wait_for_logs(it, "ready", timeout=180)
    check("a port that was chosen", int(it.get_exposed_port(80)) == 8088 and get(it, 80) == "this is bound")
    check("an environment variable", it.exec(["sh", "-c", "echo $A"]).output == b"b\n")

with Network() as network:
    with DockerContainer("busybox").with_command(SERVER % ("server", 8000)).with_network(network) \
            .with_network_aliases("server", "other-name") as server:
        wait_for_logs(server, "ready", timeout=180)
        for name in ("server", "other-name"):
            with DockerContainer("busybox").with_command(
                    "sh -c 'until wget -qO- http://%s:8000/; do sleep 1; done'" % name) \
                    .with_network(network) as client:
                wait_for_logs(client, "this is server", timeout=180)
                check("the alias " + name, client.get_wrapped_container().wait()["StatusCode"] == 0)
        check("the network has its containers", len(network._network.client.api.inspect_network(network.id)
                                                    ["Containers"]) >= 1)

try:
    with DockerContainer("busybox").with_command("sleep 1000").with_kwargs(ports={"80/tcp": 65536}):
        check("a port that cannot be is refused", False)
except Exception as error:
    check("a port that cannot be is refused: %s" % type(error).__name__, True)
