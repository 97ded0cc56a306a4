"""The real docker command line, and ours: networks, ports, and the flags of run that are about them."""
import json
import os
import re
import subprocess

from ground import BIN, eventually, need, ok, run

# The version of docker whose flags masu has.
OURS = 28
SERVER = ["sh", "-c", "mkdir -p /www && echo here >/www/index.html && exec httpd -f -p 80 -h /www"]


def main(report, daemon, world, dockers):
    daemon.busybox()
    lines = [("docker " + version, path, int(version.split(".")[0])) for version, path in dockers]
    for name, path, version in [*lines, ("masu", os.path.join(BIN, "masu"), OURS)]:
        report.heading(name)
        command_line = CommandLine(report, daemon, world, path, version)
        for step in (command_line.creation, command_line.listing, command_line.removal, command_line.connections,
                     command_line.ports, command_line.flags_of_run, command_line.names_and_links,
                     command_line.events):
            report.heading(step.__name__)
            report.guard(step)
            daemon.clear()


class CommandLine:
    def __init__(self, report, daemon, world, path, version):
        self.report, self.daemon, self.world, self.path, self.version = report, daemon, world, path, version

    # -- words

    def run(self, *arguments, **options):
        return run(self.path, *arguments, env=self.daemon.environment, **options)

    def ok(self, *arguments, **options):
        return ok(self.path, *arguments, env=self.daemon.environment, **options)

    def says(self, wanted, *arguments):
        """A command succeeds and prints this."""
        result = self.run(*arguments)
        what = " ".join(arguments)
        if result.code != 0:
            self.report.true(what, False, result)
        elif isinstance(wanted, re.Pattern):
            self.report.match(what, result.text, wanted.pattern)
        else:
            self.report.equal(what, result.text, wanted)

    def refuses(self, code, text, *arguments):
        self.report.refused(" ".join(arguments), self.run(*arguments), code, text)

    def binding(self, address, port):
        """An address of the host with a port, as this version writes it."""
        return "%s:%s" % ("[%s]" % address if ":" in address and self.version >= 23 else address, port)

    def everywhere(self, port):
        return self.binding("0.0.0.0", port) + "\n" + self.binding("::", port)

    def answer(self, prefix, address):
        """What a web server says, once it is there."""
        command = [*prefix, need("curl"), "-s", "--max-time", "60", "http://" + address]
        return eventually("an answer at " + address, lambda: run(*command).text)

    def no_network(self, name):
        return "network %s not found" % name if self.version >= 23 else "No such network: " + name

    def network(self, name):
        return json.loads(self.ok("network", "inspect", name))[0]

    def container(self, name):
        return json.loads(self.ok("inspect", name))[0]

    def box(self, name, *flags, command=("sleep", "infinity")):
        return self.ok("run", "-d", "--init", "--name", name, *flags, "busybox", *command)

    def inside(self, name, *command):
        return self.ok("exec", name, *command)

    # -- networks

    def creation(self):
        equal = self.report.equal
        identifier = self.ok("network", "create", "plain")
        self.report.match("what create prints", identifier, "[0-9a-f]{64}")
        plain = self.network("plain")
        self.report.match("Created", plain.pop("Created"), r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*(Z|[+-]\d\d:\d\d)")
        plain.pop("EnableIPv4", None)
        status = plain.pop("Status", None)
        if status:  # since API 1.52
            equal("addresses in use", status["IPAM"]["Subnets"]["172.18.0.0/16"]["IPsInUse"], 3)
        equal("a plain network", plain, {
            "Name": "plain", "Id": identifier, "Scope": "local", "Driver": "bridge", "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": {}, "Config": [{"Subnet": "172.18.0.0/16",
                                                                    "Gateway": "172.18.0.1"}]},
            "Internal": False, "Attachable": False, "Ingress": False, "ConfigFrom": {"Network": ""},
            "ConfigOnly": False, "Containers": {}, "Options": {}, "Labels": {}})
        default = self.network("bridge")
        equal("the default network's addresses", default["IPAM"],
              {"Driver": "default", "Options": None, "Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]})
        for key, value in (("default_bridge", "true"), ("enable_icc", "true"), ("enable_ip_masquerade", "true"),
                           ("host_binding_ipv4", "0.0.0.0")):
            equal("the default network's " + key, default["Options"].get("com.docker.network.bridge." + key), value)
        host = self.network("host")
        equal("the network host", (host["Driver"], host["Scope"], host["IPAM"]["Config"] or None),
              ("host", "local", None))
        equal("the network none", self.network("none")["Driver"], "null")

        self.ok("network", "create", "--driver", "bridge", "--attachable", "--internal", "--scope", "local",
                "--subnet", "10.20.0.0/16", "--ip-range", "10.20.5.0/24", "--gateway", "10.20.5.254",
                "--aux-address", "first=10.20.5.1", "--aux-address", "second=10.20.5.2", "--ipam-driver", "default",
                "--label", "a=b", "--label", "alone", "-o", "com.docker.network.bridge.name=br-mine",
                "--opt", "com.docker.network.driver.mtu=1400", "full")
        full = self.network("full")
        equal("all that was said", [full[key] for key in ("Attachable", "Internal", "Labels", "Options")], [
            True, True, {"a": "b", "alone": ""},
            {"com.docker.network.bridge.name": "br-mine", "com.docker.network.driver.mtu": "1400"}])
        equal("addresses that were said", full["IPAM"]["Config"], [{
            "Subnet": "10.20.0.0/16", "IPRange": "10.20.5.0/24", "Gateway": "10.20.5.254",
            "AuxiliaryAddresses": {"first": "10.20.5.1", "second": "10.20.5.2"}}])
        link = ok(need("ip"), "-o", "link", "show", "br-mine")
        self.report.true("the bridge has its name and MTU", " mtu 1400 " in link, link)
        equal("the lowest address of the range",
              self.ok("run", "--rm", "--network", "full", "busybox", "ip", "-o", "-4", "address", "show", "eth0")
              .split()[3], "10.20.5.0/16")

        self.ok("network", "create", "--ipv6", "--subnet", "10.21.0.0/24", "--subnet", "fd00:21::/64", "--gateway",
                "fd00:21::9", "both")
        both = self.network("both")
        equal("two families", (both["EnableIPv6"], both["IPAM"]["Config"]), (True, [
            {"Subnet": "10.21.0.0/24", "Gateway": "10.21.0.1"}, {"Subnet": "fd00:21::/64", "Gateway": "fd00:21::9"}]))
        self.ok("network", "create", "--ipv6", "unique-local")
        subnets = [block["Subnet"] for block in self.network("unique-local")["IPAM"]["Config"]]
        self.report.match("a block of IPv6 that nobody named", " ".join(subnets), r"172\.19\.0\.0/16 fd.*::/64")
        if self.version >= 28:
            self.ok("network", "create", "--ipv4=false", "--ipv6", "six")
            six = self.network("six")
            equal("IPv6 alone", (six["EnableIPv4"], six["EnableIPv6"], len(six["IPAM"]["Config"])), (False, True, 1))

        self.ok("network", "create", "--config-only", "--subnet", "10.22.0.0/24", "--label", "kept=no",
                "-o", "com.docker.network.driver.mtu=1300", "settings")
        self.ok("network", "create", "--config-from", "settings", "configured")
        configured = self.network("configured")
        equal("a network from another's settings",
              (configured["ConfigFrom"], configured["IPAM"]["Config"][0]["Subnet"], configured["ConfigOnly"],
               self.network("settings")["ConfigOnly"]),
              ({"Network": "settings"}, "10.22.0.0/24", False, True))
        self.refuses(1, "configuration network \"settings\" is in use", "network", "rm", "settings")
        self.refuses(125, "configuration-only network", "run", "--rm", "--network", "settings", "busybox", "true")
        self.ok("network", "rm", "configured", "settings")

        for code, text, flags in (
                (1, "network with name plain already exists", ["plain"]),
                (1, "invalid subnet", ["--subnet", "10.300.0.0/16", "bad"]),
                (1, "Pool overlaps with other one on this address space", ["--subnet", "10.20.128.0/24", "bad"]),
                (1, "no matching subnet for gateway 10.31.0.1", ["--subnet", "10.30.0.0/24", "--gateway", "10.31.0.1",
                                                                  "bad"]),
                (1, "no matching subnet for range 10.31.0.0/25", ["--subnet", "10.30.0.0/24", "--ip-range",
                                                                   "10.31.0.0/25", "bad"]),
                (1, "no matching subnet for aux-address 10.31.0.7", ["--subnet", "10.30.0.0/24", "--aux-address",
                                                                      "x=10.31.0.7", "bad"]),
                (1, "cannot create a swarm scoped network when swarm is not active", ["--scope", "swarm", "bad"]),
                (1, "Ingress network can only be global scope network", ["--ingress", "bad"]),
                (1, "This node is not a swarm manager", ["-d", "overlay", "bad"]),
                (1, "could not find plugin nowhere in v1 plugin registry: plugin not found", ["-d", "nowhere", "bad"]),
                (1, "operation is not permitted on predefined host network", ["-d", "host", "host"]),
                (1, "only one instance of \"host\" network is allowed", ["-d", "host", "bad"]),
                (1, "nobody", ["--config-from", "nobody", "bad"]),
        ):
            self.refuses(code, text, "network", "create", *flags)
        equal("what is left of what was refused", self.ok("network", "ls", "-q", "--filter", "name=bad"), "")
        self.refuses(1, self.no_network("nobody"), "network", "inspect", "nobody")
        equal("what is printed of those that are there",
              [network["Name"] for network in json.loads(self.run("network", "inspect", "plain", "nobody").out)],
              ["plain"])
        self.says("plain\nfull", "network", "inspect", "-f", "{{.Name}}", "plain", "full")
        self.says("plain", "network", "inspect", "--format", "{{.Name}}", identifier[:12])
        self.says(re.compile(r".*\"Name\": \"plain\".*"), "network", "inspect", "--verbose", "plain")

    def listing(self):
        equal = self.report.equal
        self.ok("network", "create", "--label", "a=b", "--label", "c=d", "--ipv6", "front")
        self.ok("network", "create", "--internal", "--label", "a=x", "rear")
        self.box("box", "--network", "front")
        lines = self.ok("network", "ls").splitlines()
        self.report.match("the head of the list", lines[0], "NETWORK ID +NAME +DRIVER +SCOPE")
        equal("the list", [line.split()[1:] for line in lines[1:]], [
            ["bridge", "bridge", "local"], ["front", "bridge", "local"], ["host", "host", "local"],
            ["none", "null", "local"], ["rear", "bridge", "local"]])
        self.report.match("a short id", lines[1].split()[0], "[0-9a-f]{12}")
        self.says(re.compile("[0-9a-f]{64}\n[0-9a-f]{64}"), "network", "ls", "--no-trunc", "-q", "--filter",
                  "type=custom")
        self.says("front|bridge|local|true|false|b\nrear|bridge|local|false|true|x", "network", "ls", "--filter",
                  "type=custom", "--format", '{{.Name}}|{{.Driver}}|{{.Scope}}|{{.IPv6}}|{{.Internal}}|{{.Label "a"}}')
        self.says(re.compile(r"(a=b,c=d|c=d,a=b)"), "network", "ls", "-f", "name=front", "--format", "{{.Labels}}")
        self.says(re.compile(r"NAME +NETWORK ID\nfront +[0-9a-f]{12}"), "network", "ls", "-f", "name=front", "--format",
                  "table {{.Name}}\t{{.ID}}")
        self.says(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4} UTC"), "network", "ls", "-f", "name=front",
                  "--format", "{{.CreatedAt}}")
        if self.version >= 23:
            row = json.loads(self.ok("network", "ls", "-f", "name=front", "--format", "json"))
            equal("a row as JSON", (row["Name"], row["IPv6"], row["Internal"]), ("front", "true", "false"))
        identifier = self.ok("network", "ls", "-q", "-f", "name=front")
        for wanted, filters in (
                ("front rear", ["type=custom"]), ("bridge host none", ["type=builtin"]),
                ("bridge front rear", ["driver=bridge"]), ("host none", ["driver=host", "driver=null"]),
                ("front", ["label=a=b"]), ("front rear", ["label=a"]), ("front", ["label=a", "label=c"]),
                ("", ["label=z"]),
                ("front", ["id=" + identifier]), ("front", ["id=" + identifier[:5]]), ("front", ["name=front"]),
                ("rear", ["name=re"]), ("rear", ["name=^rear$"]), ("bridge front host none rear", ["scope=local"]),
                ("", ["scope=swarm"]), ("rear", ["dangling=true"]), ("bridge front host none", ["dangling=false"]),
                ("rear", ["driver=bridge", "type=custom", "name=rear"])):
            arguments = [word for text in filters for word in ("--filter", text)]
            names = self.ok("network", "ls", "--format", "{{.Name}}", *arguments).split()
            equal("network ls " + " ".join(arguments), " ".join(names), wanted)
        self.refuses(1, "invalid filter 'what'", "network", "ls", "-f", "what=this")
        self.refuses(1, "invalid filter: 'type'='what'", "network", "ls", "-f", "type=what")
        self.refuses(1, "invalid value for filter 'dangling'", "network", "ls", "-f",
                     "dangling=what")
        self.says("box", "ps", "--filter", "network=front", "--format", "{{.Names}}")
        self.says("", "ps", "--filter", "network=rear", "--format", "{{.Names}}")
        self.says("front", "ps", "--format", "{{.Networks}}")
        self.says("box", "ps", "--filter", "network=" + identifier, "--format", "{{.Names}}")
        drivers = json.loads(self.ok("info", "--format", "{{json .Plugins.Network}}"))
        for driver in ("bridge", "host", "null", "macvlan", "ipvlan"):
            self.report.true("info names the driver " + driver, driver in drivers, drivers)

    def removal(self):
        equal = self.report.equal
        for name in ("one", "two", "three", "used", "new"):
            self.ok("network", "create", "--label", "name=" + name, name)
        self.box("box", "--network", "used")
        self.refuses(1, "has active endpoints", "network", "rm", "used")
        self.refuses(1, self.no_network("nobody"), "network", "rm", "nobody")
        self.refuses(1, "pre-defined network and cannot be removed", "network", "rm", "host")
        both = self.run("network", "rm", "one", "nobody", "three")
        equal("what can be removed is", (both.code, both.out.split()), (1, ["one", "three"]))
        if self.version >= 23:
            self.says("", "network", "rm", "--force", "nobody")
        self.says("", "network", "prune", "-f", "--filter", "label=name=nobody")
        self.says("Deleted Networks:\ntwo", "network", "prune", "-f", "--filter", "label!=name=new")
        self.says("", "network", "prune", "--force", "--filter", "until=24h")
        equal("a question comes first", self.run("network", "prune", input="n\n").out.count("[y/N]"), 1)
        self.says("new", "network", "ls", "-f", "dangling=true", "-f", "type=custom", "--format", "{{.Name}}")
        self.says("Deleted Networks:\nnew", "network", "prune", "--force")
        self.refuses(1, "invalid filter 'what'", "network", "prune", "-f", "--filter", "what=this")
        self.ok("network", "create", "one")
        self.report.true("system prune removes networks",
                         "Deleted Networks:\none" in self.ok("system", "prune", "--force"))
        self.says("box", "stop", "-t", "0", "box")
        self.says("used", "network", "rm", "used")
        self.refuses(1, "network", "start", "box")

    # -- connections

    def connections(self):
        equal = self.report.equal
        self.ok("network", "create", "--subnet", "10.40.0.0/24", "--ipv6", "--subnet", "fd00:40::/64", "front")
        self.ok("network", "create", "--subnet", "10.41.0.0/24", "back")
        self.box("peer", "--network", "back")
        self.box("box", "--network", "front")
        priority = ["--gw-priority", "5"] if self.version >= 28 else []
        self.says("", "network", "connect", "--ip", "10.41.0.77", "--alias", "first", "--alias", "second",
                  "--link", "peer:friend", "--link-local-ip", "169.254.7.7",
                  "--driver-opt", "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1",
                  *priority, "back", "box")
        place = self.container("box")["NetworkSettings"]["Networks"]["back"]
        equal("a place on a network", {key: place[key] for key in (
            "IPAMConfig", "Links", "IPAddress", "IPPrefixLen", "Gateway", "MacAddress", "DriverOpts")}, {
            "IPAMConfig": {"IPv4Address": "10.41.0.77", "LinkLocalIPs": ["169.254.7.7"]},
            "Links": ["peer:friend"], "IPAddress": "10.41.0.77", "IPPrefixLen": 24, "Gateway": "10.41.0.1",
            "MacAddress": place["MacAddress"],
            "DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}})
        self.report.match("a hardware address", place["MacAddress"], "([0-9a-f]{2}:){5}[0-9a-f]{2}")
        for alias in ("first", "second"):
            self.report.true("the alias " + alias, alias in place["Aliases"], place["Aliases"])
            self.report.true(alias + " is known to a neighbour",
                             "10.41.0.77" in self.inside("peer", "nslookup", alias + ".", "127.0.0.11"))
        eventually("a link names a neighbour",
                   lambda: self.run("exec", "box", "ping", "-c1", "-W5", "friend").code == 0)
        addresses = self.inside("box", "ip", "-o", "-4", "address", "show", "eth1")
        for address in ("10.41.0.77/24", "169.254.7.7/"):
            self.report.true("the interface has " + address, address in addresses, addresses)
        equal("an endpoint's kernel parameter",
              self.inside("box", "cat", "/proc/sys/net/ipv4/conf/eth1/log_martians"), "1")
        if priority:
            self.report.true("the gateway of the network with priority",
                             "10.41.0.1" in self.inside("box", "ip", "route", "show", "default"))
        equal("both are on the network",
              sorted(entry["Name"] for entry in self.network("back")["Containers"].values()), ["box", "peer"])
        entry = [entry for entry in self.network("back")["Containers"].values() if entry["Name"] == "box"][0]
        equal("one of them", {key: entry[key] for key in ("MacAddress", "IPv4Address", "IPv6Address")},
              {"MacAddress": place["MacAddress"], "IPv4Address": "10.41.0.77/24", "IPv6Address": ""})
        self.says(re.compile("back,front|front,back"), "ps", "-f", "name=box", "--format", "{{.Networks}}")

        self.refuses(1, "endpoint with name box already exists in network back", "network", "connect", "back", "box")
        self.refuses(1, "No such container: nobody", "network", "connect", "back", "nobody")
        self.refuses(1, "network nowhere not found", "network", "connect", "nowhere", "box")
        self.refuses(1, "Address already in use", "network", "connect", "--ip", "10.40.0.2", "front", "peer")
        self.refuses(1, "no configured subnet", "network", "connect", "--ip", "10.99.0.2", "front", "peer")
        # Ours, as docker's since version 29, finds this itself.
        self.refuses(125 if os.path.basename(self.path) == "masu" else 1, "10.40.0.300",
                     "network", "connect", "--ip", "10.40.0.300", "front", "peer")
        self.refuses(1, "cannot connect container to host network", "network", "connect", "host",
                     "box")
        self.says("", "network", "disconnect", "back", "box")
        equal("where a container is after it was disconnected",
              list(self.container("box")["NetworkSettings"]["Networks"]), ["front"])
        self.refuses(1, "is not connected to the network back", "network", "disconnect", "back",
                     "box")
        self.says("", "network", "connect", "--ip", "10.40.0.9", "--ip6", "fd00:40::9", "front", "peer")
        place = self.container("peer")["NetworkSettings"]["Networks"]["front"]
        equal("addresses of both families", (place["IPAddress"], place["GlobalIPv6Address"],
                                             place["GlobalIPv6PrefixLen"], place["IPv6Gateway"]),
              ("10.40.0.9", "fd00:40::9", 64, "fd00:40::1"))
        self.says("", "network", "disconnect", "--force", "front", "peer")

        # One that does not run keeps what it was told until it does.
        self.ok("stop", "-t", "0", "box")
        self.says("", "network", "connect", "--ip", "10.41.0.78", "back", "box")
        self.ok("start", "box")
        equal("an address from before the start",
              self.container("box")["NetworkSettings"]["Networks"]["back"]["IPAddress"], "10.41.0.78")

        # --force takes a place away from a container that is gone or stopped.
        self.ok("stop", "-t", "0", "box")
        self.says("", "network", "disconnect", "-f", "back", "box")
        self.says("peer", "rm", "-f", "peer")
        self.says("back", "network", "rm", "back")

    # -- ports

    def ports(self):
        equal = self.report.equal
        self.box("web", "-p", "8080:80", "-p", "127.0.0.1:8081:81/tcp", "-p", "5353:53/udp", "-p", "9000-9002:90-92",
                 "-p", "0.0.0.0:9300-9302:9300-9302",
                 "--expose", "7000", "--expose", "7100-7101/udp", "-p", "[::1]:8082:82", command=SERVER)
        self.says(self.everywhere(8080), "port", "web", "80")
        self.says(self.everywhere(8080), "port", "web", "80/tcp")
        self.says("127.0.0.1:8081", "port", "web", "81")
        self.says(self.binding("::1", 8082), "port", "web", "82")
        self.says(self.everywhere(5353), "port", "web", "53/udp")
        wanted = ["81/tcp -> 127.0.0.1:8081", "82/tcp -> " + self.binding("::1", 8082)]
        wanted += ["%d/tcp -> 0.0.0.0:%d" % (port, port) for port in (9300, 9301, 9302)]
        for inner, outer in (("53/udp", 5353), ("80/tcp", 8080), ("90/tcp", 9000), ("91/tcp", 9001), ("92/tcp", 9002)):
            wanted += ["%s -> %s" % (inner, line) for line in self.everywhere(outer).splitlines()]
        equal("all ports", sorted(self.ok("port", "web").splitlines()), sorted(wanted))
        self.refuses(1, "o public port '53", "port", "web", "53")
        self.refuses(1, "o public port '7000", "port", "web", "7000")
        self.refuses(1, "No such container: nobody", "port", "nobody")
        shown = self.ok("ps", "--format", "{{.Ports}}")
        for text in ("0.0.0.0:8080->80/tcp", "127.0.0.1:8081->81/tcp", "0.0.0.0:5353->53/udp", "7000/tcp",
                     "7100-7101/udp", "0.0.0.0:9001->91/tcp", "0.0.0.0:9300-9302->9300-9302/tcp"):
            self.report.true("ps shows " + text, text in shown, shown)
        for wanted, text in (("web", "publish=80"), ("", "publish=8080"), ("web", "publish=53/udp"),
                             ("web", "publish=91-95"), ("", "publish=53"), ("", "publish=7000"), ("web", "expose=80"),
                             ("web", "expose=7000/tcp"), ("web", "expose=7000-7001"), ("", "expose=1")):
            self.says(wanted, "ps", "--filter", text, "--format", "{{.Names}}")
        web = self.container("web")
        equal("an exposed port", web["NetworkSettings"]["Ports"]["7000/tcp"], None)
        equal("a bound port", web["NetworkSettings"]["Ports"]["81/tcp"], [{"HostIp": "127.0.0.1", "HostPort": "8081"}])
        equal("what was asked for", web["HostConfig"]["PortBindings"]["80/tcp"], [{"HostIp": "", "HostPort": "8080"}])
        for prefix, address, wanted in (
                ([], "127.0.0.1:8080", "here"), ([], "[::1]:8080", "here"),
                (self.world.prefix, self.world.host + ":8080", "here")):
            equal("what answers at " + address, self.answer(prefix, address), wanted)
        self.refuses(125, "port is already allocated", "run", "--rm", "-p", "8080:80", "busybox", "true")
        self.refuses(125, "port is already allocated", "run", "--rm", "-p", "9002:80", "busybox", "true")
        for text, flag in (
                ("nvalid hostPort: 65536" if self.version >= 23 else "65536", "65536:80"),
                ("nvalid", "80:65536"), ("nvalid", "1-2:80-82"), ("nvalid", "80:80/what"),
                ("nvalid", "300.1.1.1:80:80"),
                ("o port specified", "80:")):
            self.refuses(125, text, "run", "--rm", "-p", flag, "busybox", "true")
        equal("what is left of what was refused", self.ok("ps", "-aq").split(), [web["Id"][:12]])
        self.ok("rm", "-f", "web")

        # All that are exposed, each at a port that nobody has.
        self.box("many", "-P", "--expose", "80", "--expose", "81-83", "--expose", "53/udp", command=SERVER)
        shown = self.ok("port", "many").splitlines()
        found = re.findall(r"^(\d+/\w+) -> 0\.0\.0\.0:(\d+)$", "\n".join(shown), re.MULTILINE)
        equal("what -P publishes", sorted(port for port, _ in found),
              ["53/udp", "80/tcp", "81/tcp", "82/tcp", "83/tcp"])
        numbers = [int(number) for _, number in found]
        self.report.true("ports that nobody has", len(set(numbers)) == 5 and min(numbers) >= 1024, numbers)
        equal("the same for IPv6", sorted(re.findall(r"\[?::\]?:(\d+)$", "\n".join(shown), re.MULTILINE)),
              sorted(map(str, numbers)))
        equal("what was asked for", self.container("many")["HostConfig"]["PublishAllPorts"], True)
        port = dict(found)["80/tcp"]
        equal("what answers at a port of -P", self.answer(self.world.prefix, self.world.host + ":" + port), "here")
        self.ok("restart", "-t", "0", "many")
        equal("ports after a restart", len(self.ok("port", "many").splitlines()), 10)
        self.ok("rm", "-f", "many")
        # A range of which one is free; the number of the container's port alone.
        self.box("taker", "-p", "9100:80")
        self.box("ranged", "-p", "9100-9101:80")
        self.says(self.everywhere(9101), "port", "ranged", "80")
        self.box("alone", "-p", "80", "-p", "127.0.0.1::81")
        self.says(re.compile(r"0\.0\.0\.0:(\d+)\n\[?::\]?:\1"), "port", "alone", "80")
        self.says(re.compile(r"127\.0\.0\.1:\d+"), "port", "alone", "81")
        self.box("long", "-p", "published=9200,target=80,protocol=tcp")
        self.says(self.everywhere(9200), "port", "long", "80")
        self.ok("stop", "-t", "0", "long")
        self.says("", "port", "long")
        self.says("", "ps", "-a", "-f", "name=long", "--format", "{{.Ports}}")

    # -- run

    def flags_of_run(self):
        equal = self.report.equal
        self.ok("network", "create", "--subnet", "10.50.0.0/24", "--ipv6", "--subnet", "fd00:50::/64", "net")
        self.box("box", "--network", "net", "--ip", "10.50.0.50", "--ip6", "fd00:50::50", "--network-alias", "one",
                 "--net-alias", "two", "--link-local-ip", "169.254.9.9", "--mac-address", "02:00:00:00:00:09",
                 "--hostname", "me", "--domainname", "example.org", "--dns", "192.0.2.53", "--dns-search",
                 "example.org",
                 "--dns-option", "ndots:3", "--add-host", "other:10.1.2.3", "--add-host", "gate:host-gateway")
        place = self.container("box")["NetworkSettings"]["Networks"]["net"]
        equal("addresses", (place["IPAddress"], place["GlobalIPv6Address"], place["MacAddress"]),
              ("10.50.0.50", "fd00:50::50", "02:00:00:00:00:09"))
        equal("aliases", sorted(set(place["Aliases"]) & {"one", "two"}), ["one", "two"])
        address = self.inside("box", "ip", "address", "show", "eth0")
        for text in ("10.50.0.50/24", "fd00:50::50/64", "169.254.9.9/", "02:00:00:00:00:09"):
            self.report.true("the interface has " + text, text in address, address)
        equal("hostname", (self.inside("box", "hostname"), self.inside("box", "cat", "/etc/hostname")), ("me", "me"))
        hosts = self.inside("box", "cat", "/etc/hosts")
        for line in ("10.1.2.3\tother", "172.17.0.1\tgate", "10.50.0.50\tme.example.org me",
                     "fd00:50::50\tme.example.org me"):
            self.report.true("/etc/hosts has %r" % line, line in hosts.splitlines(), hosts)
        resolver = self.inside("box", "cat", "/etc/resolv.conf")
        for line in ("nameserver 127.0.0.11", "search example.org", "options ndots:3"):
            self.report.true("/etc/resolv.conf has %r" % line, line in resolver.splitlines(), resolver)
        self.says("10.50.0.50", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "box")

        self.says("lo", "run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net")
        self.report.true("the host's interfaces",
                         "cable" in self.ok("run", "--rm", "--net", "host", "busybox", "ls", "/sys/class/net").split())
        self.says(self.inside("box", "cat", "/sys/class/net/eth0/address"), "run", "--rm", "--network",
                  "container:box", "busybox", "cat", "/sys/class/net/eth0/address")
        self.ok("network", "create", "second")
        if self.version >= 25:
            self.box("both", "--network", "name=net,alias=x,ip=10.50.0.60,mac-address=02:00:00:00:00:60,"
                     "driver-opt=com.docker.network.endpoint.ifname=front0", "--network", "second")
            networks = self.container("both")["NetworkSettings"]["Networks"]
            equal("two networks", (sorted(networks), networks["net"]["IPAddress"], networks["net"]["MacAddress"]),
                  (["net", "second"], "10.50.0.60", "02:00:00:00:00:60"))
            self.report.true("an interface's name", "front0" in self.inside("both", "ls", "/sys/class/net"))
        if self.version >= 28:
            self.box("gates", "--network", "name=net,gw-priority=1", "--network", "name=second,gw-priority=7")
            gateway = self.network("second")["IPAM"]["Config"][0]["Gateway"]
            route = self.inside("gates", "ip", "route", "show", "default")
            self.report.true("the gateway with the highest priority", gateway in route, route)
        for text, flags in (
                ("network nowhere not found", ["--network", "nowhere"]),
                ("No such container: nobody", ["--network", "container:nobody"]),
                ("Address already in use", ["--network", "net", "--ip", "10.50.0.50"]),
                ("no configured subnet", ["--network", "net", "--ip", "10.99.0.1"]),
                ("conflicting options", ["--network", "container:box", "--hostname", "x"]),
                ("conflicting options", ["--network", "container:box", "-p", "80:80"]),
                ("conflicting options", ["--network", "container:box", "--add-host", "a:1.2.3.4"]),
                ("conflicting options", ["--network", "container:box", "--dns", "1.2.3.4"]),
                ("02:00", ["--mac-address", "02:00"]),
        ):
            self.refuses(125, text, "run", "--rm", *flags, "busybox", "true")

        # Before version 23 docker keeps these to itself.
        if self.version >= 23:
            for text, flags in (
                    ("user specified IP address is supported on user defined networks only", ["--ip", "172.17.0.9"]),
                    ("network-scoped alias", ["--network-alias", "x"])):
                self.refuses(125, text, "run", "--rm", *flags, "busybox", "true")

        # create, then start, as other tools do
        self.ok("create", "--name", "later", "--network", "net", "--ip", "10.50.0.70", "busybox", "sleep", "infinity")
        equal("nothing before the start",
              self.container("later")["NetworkSettings"]["Networks"]["net"]["IPAddress"], "")
        self.ok("start", "later")
        equal("an address after the start",
              self.container("later")["NetworkSettings"]["Networks"]["net"]["IPAddress"], "10.50.0.70")

    def names_and_links(self):
        self.ok("network", "create", "net")
        for network, flags in (("net", ["--network", "net"]), ("bridge", [])):
            self.box("server-" + network, *flags, command=SERVER)
            result = self.run("run", "--rm", *flags, "--link", "server-%s:friend" % network,
                              "--link", "server-" + network, "busybox", "sh", "-c",
                              "for name in friend server-%s; do until wget -qO- http://$name/; do sleep 1; done; done"
                              % network)
            self.report.true("links on " + network, result.out.split() == ["here", "here"], result)
        hosts = self.ok("run", "--rm", "--link", "server-bridge:friend", "busybox", "cat", "/etc/hosts")
        identifier = self.container("server-bridge")["Id"][:12]
        self.report.match("a link's line in /etc/hosts", [line for line in hosts.splitlines() if "friend" in line][0],
                          r"172\.17\.0\.\d+\tfriend %s server-bridge" % identifier)
        self.box("linked", "--link", "server-bridge:friend")
        self.report.equal("links in inspect", self.container("linked")["HostConfig"]["Links"],
                          ["/server-bridge:/linked/friend"])
        self.refuses(125, "could not get container for nobody: No such container: nobody",
                     "run", "--rm", "--link", "nobody:x", "busybox", "true")
        self.report.true("no names on the default network",
                         self.run("run", "--rm", "busybox", "ping", "-c1", "-W1", "server-net").code != 0)

    def events(self):
        process = subprocess.Popen(
            [self.path, "events", "--filter", "type=network", "--format",
             "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}} {{.Type}} {{.Scope}}"],
            env=self.daemon.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        eventually("the events are asked for", lambda: self.ok("info", "-f", "{{.NEventsListener}}") == "1")
        self.ok("network", "create", "net")
        self.box("box")
        self.ok("network", "connect", "net", "box")
        self.ok("network", "disconnect", "net", "box")
        self.ok("rm", "-f", "box")
        self.ok("network", "rm", "net")
        wanted = [("create", "net"), ("connect", "bridge"), ("connect", "net"), ("disconnect", "net"),
                  ("disconnect", "bridge"), ("destroy", "net")]
        lines = [process.stdout.readline().strip() for _ in wanted]
        process.terminate()
        process.wait()
        self.report.equal("events of networks", lines, ["%s %s bridge network local" % pair for pair in wanted])
