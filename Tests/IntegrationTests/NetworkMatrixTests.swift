import Addresses
import Foundation
import LinuxKernel
import SystemPackage
import Testing

extension Integration {
    /// Who reaches whom by which network, by TCP and UDP, IPv4 and IPv6, and whose address is seen: `NetworkMatrix`
    /// says it for every case.
    @Suite("network matrix")
    struct NetworkMatrixTests {
        /// Why bridges do not call the packet filter here; empty if they can.
        static let filterObstacle =
            Files.exists("/proc/sys/net/bridge/bridge-nf-call-iptables")
            ? "" : "the kernel's bridges cannot call the packet filter (module br_netfilter)"

        @Test("every network lets through what it has to, and nothing else")
        func matrix() throws { try check(bridgesCallFilter: false) }

        @Test(
            "the same where bridges call the packet filter, as Docker and Kubernetes want them to",
            .enabled(if: filterObstacle.isEmpty, Comment(rawValue: filterObstacle)))
        func matrixWithFilteringBridges() throws { try check(bridgesCallFilter: true) }

        private func check(bridgesCallFilter: Bool) throws {
            try withMatrix(bridgesCallFilter: bridgesCallFilter) { (matrix: NetworkMatrix) throws in
                try matrix.makeBridges()
                let failures = try matrix.table.failures(matrix.bridgeCases())
                #expect(failures == nil, "\n\(failures ?? "")")
            }
        }

        /// Why there are no interfaces of a kind here; empty if there are.
        private static func obstacle(_ kind: String) -> String {
            let result = try? PrivateNetwork().enter {
                try Command("/bin/busybox", "ip", "link", "add", "link", "lo", "name", "x", "type", kind).runToEnd()
            }
            // With a parent that is of no use the kernel says something else, if it knows the kind.
            return result?.errors.contains("not supported") == false ? "" : "the kernel has no \(kind)"
        }

        static let macvlanObstacle = obstacle("macvlan")
        static let ipvlanObstacle = obstacle("ipvlan")

        @Test(
            "with macvlan, containers on the host's own line are its equals there",
            .enabled(if: macvlanObstacle.isEmpty, Comment(rawValue: macvlanObstacle)))
        func macvlan() throws { try check(driver: "macvlan") }

        @Test(
            "the same with ipvlan", .enabled(if: ipvlanObstacle.isEmpty, Comment(rawValue: ipvlanObstacle)))
        func ipvlan() throws { try check(driver: "ipvlan") }

        private func check(driver: String) throws {
            try withMatrix { (matrix: NetworkMatrix) throws in
                try matrix.makeVirtualInterfaces(driver)
                let failures = try matrix.table.failures(matrix.virtualCases())
                #expect(failures == nil, "\n\(failures ?? "")")
            }
        }

        private func withMatrix(bridgesCallFilter: Bool = false, _ body: (NetworkMatrix) throws -> Void) throws {
            let world = try OutsideWorld()
            try world.addIPv6()
            try world.onHost {
                for family in ["ip", "ip6"] where Self.filterObstacle.isEmpty {
                    try ProcFile.write(
                        bridgesCallFilter ? "1" : "0", to: "sys/net/bridge/bridge-nf-call-\(family)tables")
                }
                try withDaemonHere(options: ["--ipv6"], prefix: world.disguise) { (daemon: TestDaemon) throws in
                    let matrix = try NetworkMatrix(daemon, world, bridgesCallFilter: bridgesCallFilter)
                    try body(matrix)
                    try matrix.remove()
                }
            }
        }
    }
}
