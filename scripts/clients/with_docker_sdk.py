"""The networks of the Docker SDK for Python; prints a line for each thing, "ok …" or "no …"."""
import docker
from docker.types import EndpointConfig, IPAMConfig, IPAMPool


def check(what, condition):
    print("ok" if condition else "no", what, flush=True)


def reaches(container, name):
    """Whether a container gets an answer from another. Not the first packet's loss counts."""
    again = "for i in $(seq 30); do ping -c1 -W5 %s && exit 0; sleep 1; done; exit 1" % name
    return container.exec_run(["sh", "-c", again]).exit_code == 0


def refused(what, error, body):
    try:
        body()
        check(what, False)
    except error as found:
        check("%s: %s" % (what, found.explanation), True)


client = docker.from_env()
check("ping", client.ping())
check("networks that every daemon has", {"bridge", "host", "none"} == {n.name for n in client.networks.list()})

ipam = IPAMConfig(pool_configs=[IPAMPool(subnet="10.70.0.0/24", gateway="10.70.0.9", iprange="10.70.0.64/26",
                                        aux_addresses={"printer": "10.70.0.64"})])
net = client.networks.create("net", driver="bridge", ipam=ipam, labels={"a": "b"}, check_duplicate=True,
                             options={"com.docker.network.bridge.enable_icc": "true"}, attachable=True)
check("a network's attributes", net.attrs["IPAM"]["Config"] == [{
    "Subnet": "10.70.0.0/24", "IPRange": "10.70.0.64/26", "Gateway": "10.70.0.9",
    "AuxiliaryAddresses": {"printer": "10.70.0.64"}}] and net.attrs["Labels"] == {"a": "b"})
check("by name, by id, by label", client.networks.list(names=["net"]) == client.networks.list(ids=[net.id])
      == client.networks.list(filters={"label": "a=b"}) == [net])
check("short id", client.networks.get(net.short_id) == net)
refused("a network's name is taken", docker.errors.APIError, lambda: client.networks.create("net"))
refused("a network that is not there", docker.errors.NotFound, lambda: client.networks.get("nowhere"))

box = client.containers.run("busybox", "sleep infinity", detach=True, init=True, name="box", network="net",
                            networking_config={"net": EndpointConfig(client.api._version, aliases=["first"],
                                                                     ipv4_address="10.70.0.70")})
box.reload()
check("an address", box.attrs["NetworkSettings"]["Networks"]["net"]["IPAddress"] == "10.70.0.70")
peer = client.containers.run("busybox", "sleep infinity", detach=True, init=True, name="peer")
net.connect(peer, aliases=["second"], ipv4_address="10.70.0.80", links=[("box", "friend")])
peer.reload()
place = peer.attrs["NetworkSettings"]["Networks"]["net"]
check("connect", place["IPAddress"] == "10.70.0.80" and "second" in place["Aliases"]
      and place["Links"] == ["box:friend"])
for name in ("box", "first", "friend"):
    check("peer reaches " + name, reaches(peer, name))
check("box reaches second", reaches(box, "second"))
net.reload()
check("containers of a network", sorted(c.name for c in net.containers) == ["box", "peer"])
check("a list with containers", sorted(c.name for n in client.networks.list(names=["net"], greedy=True)
                                       for c in n.containers) == ["box", "peer"])
refused("connected twice", docker.errors.APIError, lambda: net.connect(peer))
refused("an address that is taken", docker.errors.APIError,
        lambda: client.containers.run("busybox", "true", network="net", networking_config={
            "net": EndpointConfig(client.api._version, ipv4_address="10.70.0.70")}))
for container in client.containers.list(all=True, filters={"status": "created"}):
    container.remove()
refused("a network in use", docker.errors.APIError, net.remove)
check("containers by network", client.containers.list(filters={"network": "net"}) != [])
net.disconnect(peer)
net.disconnect("box", force=True)
net.reload()
check("disconnect", net.containers == [])
web = client.containers.run("busybox", "httpd -f -p 80", detach=True, init=True, name="web", network="net",
                            ports={"80/tcp": None, "81/tcp": ("127.0.0.1", 8081), "82/udp": [8082, 8083]})
web.reload()
check("ports", web.ports["81/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8081"}]
      and {p["HostPort"] for p in web.ports["82/udp"]} == {"8082", "8083"} and int(web.ports["80/tcp"][0]["HostPort"]))
check("the port of the low-level client", client.api.port("web", 81) == web.ports["81/tcp"])
for container in (box, peer, web):
    container.remove(force=True)
check("prune", client.networks.prune() == {"NetworksDeleted": ["net"]})
check("prune of nothing", client.networks.prune(filters={"until": "1h"})["NetworksDeleted"] in (None, []))
six = client.networks.create("six", enable_ipv6=True, internal=True, scope="local", ingress=False)
six.reload()
check("IPv6 and internal", six.attrs["EnableIPv6"] and six.attrs["Internal"])
six.remove()
client.close()
