import EngineAPIModel
import MasuCommand
import Testing

@Suite("Limits of the machine as text")
struct HostLimitTextTests {
    private func line(_ name: String, _ present: Int64?, _ need: Int64, isShort: Bool = false) -> HostLimitLine {
        var line = HostLimitLine()
        (line.name, line.present, line.need, line.isShort) = (name, present, need, isShort)
        (line.purpose, line.remedy) = ("what it is for", "sysctl -w \(name)=\(need)")
        return line
    }

    private var report: HostLimitReport {
        var report = HostLimitReport()
        report.containers = 1000
        report.limits = [
            line("a.enough", 5000, 4096), line("a.short", 128, 1064, isShort: true), line("a.absent", nil, 7),
            line("an.endless", -1, 7),
        ]
        return report
    }

    @Test("a table says what there is, what is needed, and how to get it")
    func table() {
        #expect(
            HostLimitText.lines(report, onlyShort: false) == [
                "LIMIT        PRESENT     NEED   STATE   RAISED BY, OR WHAT IT LIMITS",
                "a.enough     5000        4096   ok      what it is for",
                "a.short      128         1064   short   sysctl -w a.short=1064",
                "a.absent     not shown   7      -       what it is for",
                "an.endless   unlimited   7      ok      what it is for",
                "limits for 1000 containers: 1 of 4 are short",
            ])
    }

    @Test("where only problems are wanted, a line for each that is short")
    func quiet() {
        #expect(
            HostLimitText.lines(report, onlyShort: true) == [
                "a.short is short for 1000 containers: 128, needed 1064; sysctl -w a.short=1064"
            ])
        var fine = report
        fine.limits.remove(at: 1)
        #expect(HostLimitText.lines(fine, onlyShort: true) == [])
        #expect(HostLimitText.lines(fine, onlyShort: false).last?.hasSuffix("all are high enough") == true)
    }
}
