import JSON
import MasuCommand
import Testing

@Suite("Statistics as they are shown") struct StatisticsRowTests {
    private let answer = """
        {"id":"0123456789abcdef","name":"/web","read":"2026-12-01T02:30:00Z",
        "cpu_stats":{"cpu_usage":{"total_usage":600},"system_cpu_usage":3000,"online_cpus":2},
        "precpu_stats":{"cpu_usage":{"total_usage":100},"system_cpu_usage":1000},
        "memory_stats":{"usage":10485760,"limit":104857600,"stats":{"inactive_file":5242880}},
        "pids_stats":{"current":3,"limit":18446744073709551615},
        "networks":{"eth0":{"rx_bytes":1000,"tx_bytes":2},"eth1":{"rx_bytes":500,"tx_bytes":0}},
        "blkio_stats":{"io_service_bytes_recursive":[{"major":8,"minor":0,"op":"Read","value":1234567},
        {"major":8,"minor":0,"op":"write","value":5},{"major":8,"minor":0,"op":"Total","value":9}]}}
        """

    private func shown(_ row: StatisticsRow, format: String = "", truncated: Bool = true) throws -> String {
        try StatisticsRow.listing.rendered([row.row(truncated: truncated)], format: format)
    }

    @Test("the table has docker's columns and units")
    func table() throws {
        let row = StatisticsRow(container: "web", answer: try JSON.parse(Array(answer.utf8)))
        #expect(
            try shown(row) == """
                CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O      BLOCK I/O     PIDS
                0123456789ab   web       50.00%    5MiB / 100MiB       5.00%     1.5kB / 2B   1.23MB / 5B   3

                """)
        #expect(try shown(row, format: "{{.ID}} {{.Container}}", truncated: false) == "0123456789abcdef web\n")
    }

    @Test("what is not known is two dashes, in JSON as well")
    func unknown() throws {
        let row = StatisticsRow(container: "web", answer: nil)
        #expect(
            try shown(row, format: "json")
                == #"{"BlockIO":"--","CPUPerc":"--","Container":"web","ID":"","MemPerc":"--","MemUsage":"-- / --","#
                + #""Name":"--","NetIO":"--","PIDs":"--"}"# + "\n")
        let late = StatisticsRow(container: "web", answer: try JSON.parse(Array(answer.utf8)), isCurrent: false)
        #expect(try shown(late, format: "{{.Name}} {{.CPUPerc}} {{.MemUsage}}") == "web -- -- / --\n")
    }

    @Test("a container that does not run uses nothing")
    func stopped() throws {
        let answer = try JSON.parse(Array(#"{"id":"0123","name":"/web","memory_stats":{},"cpu_stats":{}}"#.utf8))
        #expect(
            try shown(
                StatisticsRow(container: "web", answer: answer),
                format: "{{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.PIDs}}")
                == "0.00% 0B / 0B 0.00% 0B / 0B 0\n")
    }
}
