import Addresses
import JSON
import PublishedPorts
import Testing

@Suite("conflicts over ports")
struct PortConflictTests {
    private let port = PublishedPort(.tcp, .unspecified(.ipv4), 8080, to: 80)
    private let target = PortTarget(sandbox: "a", ipv4: PortTarget.Place(IPAddress(.ipv4, 0xAC11_0002)))
    private let start =
        "failed to set up container networking: driver failed programming external connectivity on endpoint web (e1): "

    @Test("a port of another container has Docker's text, and the container's name")
    func container() {
        let holder = PortConflict.Holder(pid: 7, command: "masu-shim", container: "c2")
        let conflict = PortConflict(port, reason: "address already in use", isInUse: true, holder: holder)
        #expect(
            conflict.message(endpoint: "web", id: "e1", target: target, name: { _ in "db" })
                == start + "Bind for 0.0.0.0:8080 failed: port is already allocated (by container db)")
    }

    @Test("a port of a process has Docker's text, and the process")
    func process() {
        let holder = PortConflict.Holder(pid: 7, command: "nginx")
        let conflict = PortConflict(port, reason: "address already in use", isInUse: true, holder: holder)
        #expect(
            conflict.message(endpoint: "web", id: "e1", target: target)
                == start
                + "failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use "
                + "(by process 7, nginx)")
    }

    @Test("it is the same after it was written and read")
    func coding() throws {
        let holder = PortConflict.Holder(pid: 1, command: "b", container: "c")
        let conflict = PortConflict(port, reason: "x", isInUse: true, holder: holder)
        #expect(try JSON.decode(PortConflict.self, from: JSON.encode(conflict)) == conflict)
    }

    @Test("the container of a shim is the last part of its bundle's path")
    func shims() {
        let line = ["/usr/bin/masu-shim", "--bundle", "/run/masu/containers/abc", "--child"]
        #expect(PortHolders.container(ofShim: "masu-shim", line) == "abc")
        #expect(PortHolders.container(ofShim: "nginx", line) == nil)
        #expect(PortHolders.container(ofShim: "masu-shim", ["masu-shim", "--version"]) == nil)
    }
}
